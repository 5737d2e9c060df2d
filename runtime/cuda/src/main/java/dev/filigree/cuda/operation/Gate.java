package dev.filigree.cuda.operation;

import dev.filigree.kernel.Activation;

/** A gate, {@code y = activation(gate) * x}: {@code elementwise/gated.cu}. */
public final class Gate {
  private Gate() {}

  /**
   * Launches it.
   *
   * @param gate f16 {@code [tokens, columns]}; x and y are of the same extents
   */
  public static Launch gated(
      OperationKernels kernels, Activation activation, Rows gate, Rows x, Rows y) {
    return OperationKernels.eights(
        kernels.typed("gated", x.dtype()),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .pointer("gate", gate.address())
                .pointer("x", x.address())
                .pointer("y", y.address())
                .i32("rows", Math.toIntExact(y.rows()))
                .i32("columns", y.columns())
                .i32("activationKind", LinearEpilogue.kind(activation))
                .i32("pitchGate", gate.pitch())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }
}
