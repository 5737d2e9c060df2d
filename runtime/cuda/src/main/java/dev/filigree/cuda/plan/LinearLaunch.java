package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.driver.KernelLibrary;
import dev.filigree.cuda.layout.LinearGrid;
import dev.filigree.cuda.operation.Launch;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Parameter;

/**
 * A launch of a linear layer's kernel, without its memory.
 *
 * @param grid how blocks share the work
 * @param weights on the device
 * @param bias address of f32 values, 0 for none
 */
record LinearLaunch(
    KernelEntry kernel, LinearGrid grid, DeviceWeights weights, long bias, Activation activation) {

  /**
   * The operands of a launch.
   *
   * @param x f16, or i8 beside token scales
   * @param tokenScales address, 0 for f16
   * @param residual null for none
   * @param y f16
   * @param workspace address of {@link LinearGrid#workspaceBytes}, 0 for none
   */
  record Operands(Rows x, long tokenScales, Rows residual, Rows y, long workspace) {}

  /** Whether kernels know an activation. */
  static boolean knows(Activation activation) {
    return kind(activation) >= 0;
  }

  /** The number kernels know an activation by, see {@code gemm/activation.cuh}; -1 for none. */
  private static int kind(Activation activation) {
    return switch (activation) {
      case NONE -> 0;
      case RELU -> 1;
      case GELU -> 2;
      case GELU_TANH -> 3;
      case SILU -> 4;
      case TANH -> 5;
      case SIGMOID -> 6;
      case HARD_SWISH -> -1;
    };
  }

  /** Binds it to memory. */
  DeviceStep.Work bind(KernelLibrary library, Operands operands) {
    Kernel loaded = library.kernel(kernel);
    Arguments arguments = loaded.arguments();
    arguments
        .pointer("x", operands.x.address())
        .pointer("w", weights.values())
        .pointer("bias", bias)
        .pointer("residual", operands.residual == null ? 0 : operands.residual.address())
        .pointer("y", operands.y.address())
        .i32("tokens", Math.toIntExact(operands.x.rows()))
        .i32("rows", operands.y.columns())
        .i32("columns", operands.x.columns())
        .i32("pitchX", operands.x.pitch())
        .i32("pitchY", operands.y.pitch())
        .i32("pitchResidual", operands.residual == null ? 0 : operands.residual.pitch())
        .i32("activationKind", kind(activation))
        .pointer("workspace", operands.workspace);
    for (Parameter parameter : kernel.parameters()) {
      switch (parameter.name()) {
        case "meta" -> arguments.pointer("meta", weights.metadata());
        case "scales" -> arguments.pointer("scales", weights.scales());
        case "codebook" -> arguments.pointer("codebook", weights.codebook());
        case "offsets" -> arguments.pointer("offsets", weights.offsets());
        case "tokenScales" -> arguments.pointer("tokenScales", operands.tokenScales);
        default -> {}
      }
    }
    Launch launch = new Launch(loaded, grid.blocks(), 1, arguments);
    if (operands.workspace == 0) {
      return launch::into;
    }
    return stream -> {
      stream.fill(operands.workspace, grid.arrivalBytes(), (byte) 0);
      launch.into(stream);
    };
  }
}
