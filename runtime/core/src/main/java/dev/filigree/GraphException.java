package dev.filigree;

/**
 * A graph contradicts itself: an unknown value, shapes that do not fit. The message names the node.
 */
public final class GraphException extends FiligreeException {
  private static final long serialVersionUID = 1;

  public GraphException(String problem, String remedy) {
    super(problem, remedy, null);
  }

  public GraphException(String problem, String remedy, Throwable cause) {
    super(problem, remedy, cause);
  }
}
