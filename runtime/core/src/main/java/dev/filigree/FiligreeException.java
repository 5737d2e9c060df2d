package dev.filigree;

/**
 * Something the caller can understand and mend. The message names what is concerned (file, node,
 * layer, option) and ends with the remedy; every failure that comes from input is a subclass of
 * this.
 */
public abstract sealed class FiligreeException extends RuntimeException
    permits DeviceException,
        FormatException,
        GraphException,
        InputException,
        OutputException,
        RejectedException,
        UnsupportedException,
        WeightsException {
  private static final long serialVersionUID = 1;

  private final String problem;
  private final String remedy;

  FiligreeException(String problem, String remedy, Throwable cause) {
    super(problem + "; " + remedy, cause);
    this.problem = problem;
    this.remedy = remedy;
  }

  /** What is wrong, with the values concerned. */
  public String problem() {
    return problem;
  }

  /** What would mend it. */
  public String remedy() {
    return remedy;
  }
}
