package dev.filigree.cuda.plan;

import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.WeightsForm;

/**
 * A kernel of convolutions on tensor cores, see {@code convolution/patches.cuh}.
 *
 * @param kernel of the manifest
 * @param grid how blocks share the work
 * @param predictedMicros by {@link LinearModel}
 */
record ConvolutionOption(KernelEntry kernel, LinearGrid grid, double predictedMicros) {
  String name() {
    return grid.isShared() ? kernel.entry() + " in " + grid.blocks() + " blocks" : kernel.entry();
  }

  WeightsForm form() {
    return kernel.weights().orElseThrow();
  }

  boolean isDense() {
    return form().structure() == WeightsForm.Structure.DENSE;
  }

  ActivationType activation() {
    return kernel.activation().orElseThrow();
  }
}
