package dev.filigree;

/** What a caller passed in does not fit: a wrong name, type, shape or option value. */
public final class InputException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public InputException(String problem, String remedy) {
    super(problem, remedy, null);
  }

  public InputException(String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
  }
}
