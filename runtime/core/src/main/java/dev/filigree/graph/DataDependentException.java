package dev.filigree.graph;

/**
 * A shape that follows from data and so cannot be told before the run. Inference leaves such values
 * unknown; a plan falls back to computing node by node.
 */
public final class DataDependentException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /**
   * @param node the node whose output shape depends on data
   * @param what it reads from data, for example {@code axes}
   */
  public DataDependentException(Node node, String what) {
    super("node " + node + " computes its " + what + " from data");
  }
}
