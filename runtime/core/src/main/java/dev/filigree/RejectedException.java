package dev.filigree;

/**
 * A request that was not run although nothing is wrong with it: too many were waiting, its deadline
 * passed, or the server is closing. The message says which; the same request may succeed later.
 */
public final class RejectedException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public RejectedException(String problem, String remedy) {
    super(problem, remedy, null);
  }
}
