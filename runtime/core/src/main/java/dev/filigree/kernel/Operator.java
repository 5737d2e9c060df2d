package dev.filigree.kernel;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeRule;
import java.util.Optional;

/**
 * What an operator means: the types of its outputs and a scalar reference kernel. The kernel
 * follows the operator's specification in the plainest way and is the oracle every faster kernel is
 * tested against. Stateless.
 */
public interface Operator extends ShapeRule {
  /** How many of its first inputs a node must have. */
  default int leastInputs() {
    return 1;
  }

  /** How many of its first outputs a node must name. */
  default int leastOutputs() {
    return 1;
  }

  /** Whether it makes something else every time, so that it must not be computed in advance. */
  default boolean isRandom() {
    return false;
  }

  @Override
  default Optional<Tensor[]> follow(Node node, int opset, Tensor[] operands) {
    boolean makesTensors =
        !(this instanceof ValueOperator) || this instanceof DataDependentOperator;
    return makesTensors && !isRandom() && node.bodies().isEmpty()
        ? Optional.of(Interpreter.run(node, opset, operands))
        : Optional.empty();
  }

  /**
   * Prepares the computation over the operands' memory.
   *
   * @param binding operands whose types {@link #infer} has accepted
   */
  Kernel bind(Binding binding);
}
