package dev.filigree;

/**
 * A file is damaged, incomplete, or contradicts itself. The message names the file and the place in
 * it.
 */
public final class FormatException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public FormatException(String problem, String remedy) {
    super(problem, remedy, null);
  }

  public FormatException(String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
  }
}
