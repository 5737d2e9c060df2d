package dev.filigree.kernel;

import dev.filigree.graph.Node;

/** An operator that takes or makes sequences; the interpreter alone runs it. */
public interface ValueOperator extends Operator {
  /**
   * Computes a node.
   *
   * @param operands null where absent; tensors are contiguous
   * @return a value for each output the node names
   */
  Value[] evaluate(Node node, int opset, Value[] operands);
}
