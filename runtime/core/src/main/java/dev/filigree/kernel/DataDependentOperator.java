package dev.filigree.kernel;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;

/**
 * An operator whose outputs' shapes may follow from what its inputs hold, such as NonZero or Loop.
 * The interpreter lets it make its own outputs; in a plan it runs where its inference could tell
 * the shapes all the same.
 */
public interface DataDependentOperator extends Operator {
  /**
   * Computes a node.
   *
   * @param operands contiguous, null where absent, of types that {@link #infer} accepts
   * @return a tensor for each output the node names
   */
  Tensor[] compute(Node node, int opset, Tensor[] operands);

  @Override
  default Kernel bind(Binding binding) {
    return () -> {
      Tensor[] made =
          compute(binding.node(), binding.opset(), binding.inputs().toArray(Tensor[]::new));
      for (int i = 0; i < made.length; i++) {
        if (binding.output(i) != null) {
          made[i].contiguous().copyTo(binding.output(i));
        }
      }
    };
  }
}
