package dev.filigree.kernel;

import dev.filigree.graph.ShapeRule;

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

  /**
   * Prepares the computation over the operands' memory.
   *
   * @param binding operands whose types {@link #infer} has accepted
   */
  Kernel bind(Binding binding);
}
