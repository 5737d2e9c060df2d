package dev.filigree.compress.train;

/** A node that gradients flow through. */
interface Operation {
  /**
   * What the node makes of its inputs.
   *
   * @param inputs in the order of the node; null where the input is a constant or absent
   * @param needsGradient whether {@link Step#backward} will be called
   */
  Step forward(Signal[] inputs, boolean needsGradient);

  /**
   * A node's output and the way back.
   *
   * @param output of the node
   * @param backward from the output's gradient to those of the inputs; adds to the gradients of the
   *     node's parameters; null if none was wanted
   */
  record Step(Signal output, Backward backward) {}

  /** From the gradient of an output to those of the inputs. */
  @FunctionalInterface
  interface Backward {
    /**
     * Gradients of the inputs in their order, null for constants.
     *
     * @param wanted whether anything asks for that of the first input; if not it may be null, which
     *     saves a third of a layer's work
     */
    float[][] inputs(float[] outputGradient, boolean wanted);
  }
}
