package dev.filigree;

/**
 * Something well-formed that Filigree does not support: an operator, a type, an attribute value.
 */
public final class UnsupportedException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public UnsupportedException(String problem, String remedy) {
    super(problem, remedy, null);
  }

  public UnsupportedException(String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
  }
}
