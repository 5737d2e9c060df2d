package dev.filigree;

/**
 * A file or folder that cannot be written. The message names it; what was there before is
 * unchanged.
 */
public final class OutputException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public OutputException(String problem, String remedy) {
    super(problem, remedy, null);
  }

  public OutputException(String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
  }
}
