package dev.filigree.cuda.plan;

import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.WeightsForm;

/**
 * A way to run a linear layer.
 *
 * @param kernel of the manifest
 * @param blocks that share the work
 * @param split whether some of them share a tile
 * @param predictedMicros by {@link LinearModel}
 */
record LinearOption(KernelEntry kernel, int blocks, boolean split, double predictedMicros) {
  /** Name in explanations and in the cache of measurements. */
  String name() {
    return split ? kernel.entry() + " in " + blocks + " blocks" : kernel.entry();
  }

  WeightsForm form() {
    return kernel.weights().orElseThrow();
  }

  ActivationType activation() {
    return kernel.activation().orElseThrow();
  }

  boolean isDense() {
    return form().structure() == WeightsForm.Structure.DENSE;
  }
}
