package dev.filigree.cuda.plan;

import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.kernels.cuda.ActivationType;
import java.util.Optional;

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

  /** How blocks share tiles, if they do: their sums need memory of {@link SharedSums}. */
  default Optional<LinearGrid> shared() {
    return Optional.empty();
  }

  /** Whether own kernels do all of its work, so that a simulated device counts it. */
  default boolean isCounted() {
    return true;
  }
}
