package dev.filigree.cuda.plan;

import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.operation.Convolution;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.LinearEpilogue;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.WeightsForm;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A kernel of convolutions on tensor cores, see {@code convolution/patches.cuh}.
 *
 * @param kernel of the manifest
 * @param grid how blocks share the work
 */
record ConvolutionOption(KernelEntry kernel, LinearGrid grid, double predictedMicros)
    implements LayerOption {
  /**
   * What a convolution works on.
   *
   * @param x images, f16, or i8 beside token scales
   * @param tokenScales address of a scale for each pixel of y, 0 for f16
   * @param y results, f16 or f32
   * @param sums address by {@link SharedSums}, 0 where no tile is shared
   */
  record Operands(
      Convolution.Geometry geometry,
      Rows x,
      long tokenScales,
      LinearEpilogue epilogue,
      Rows y,
      long sums) {}

  @Override
  public String name() {
    return grid.isShared() ? kernel.entry() + " in " + grid.blocks() + " blocks" : kernel.entry();
  }

  @Override
  public Optional<LinearGrid> shared() {
    return grid.isShared() ? Optional.of(grid) : Optional.empty();
  }

  WeightsForm form() {
    return kernel.weights().orElseThrow();
  }

  @Override
  public String weights() {
    return form().structure().label() + " " + form().values().label();
  }

  @Override
  public boolean isDense() {
    return form().structure() == WeightsForm.Structure.DENSE;
  }

  @Override
  public ActivationType activation() {
    return kernel.activation().orElseThrow();
  }

  /** Binds it to memory. */
  DeviceStep.Work bind(DeviceState device, DeviceWeights weights, Operands operands) {
    Map<String, Long> parts = new HashMap<>();
    for (String part : List.of("w", "meta", "scales")) {
      if (weights.has(part)) {
        parts.put(part, weights.address(part));
      }
    }
    Launch launch =
        Convolution.patches(
            device.kernels(),
            kernel,
            grid,
            operands.geometry,
            parts,
            operands.tokenScales,
            operands.x,
            operands.epilogue,
            operands.y,
            operands.sums);
    return launch::into;
  }
}
