package dev.filigree.cuda.plan;

import dev.filigree.kernels.cuda.ActivationType;

/** A way to run a layer, as the choice among several sees it. Immutable; not bound to memory. */
sealed interface LayerOption permits LinearOption, ConvolutionOption {
  /** Name in explanations, in the cache of measurements, and to ask for it. */
  String name();

  /** The weights as it reads them, in words. */
  String weights();

  /** Whether it reads zeros too. */
  boolean isDense();

  /** Type of its activations. */
  ActivationType activation();

  /** By {@link LinearModel}. */
  double predictedMicros();

  /** Whether own kernels do all of its work, so that a simulated device counts it. */
  default boolean isCounted() {
    return true;
  }
}
