package dev.filigree.cuda.operation;

import dev.filigree.cuda.driver.Kernel;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.Tile;

/** Linear layers with unstructured sparse weights, see {@code sparse/linear_csr.cu}. */
public final class SparseLinear {
  private SparseLinear() {}

  /**
   * Weights on the device, as {@link dev.filigree.cuda.layout.CsrWeights} lays them out.
   *
   * @param entries address
   * @param rowOffsets address
   */
  public record Operands(long entries, long rowOffsets) {}

  /**
   * {@code y = activation(x W^T + bias + residual)}.
   *
   * @param entry a kernel of operation linear with csr weights
   * @param x {@code [tokens, columns]}
   * @param y {@code [tokens, rows]}
   */
  public static Launch multiply(
      OperationKernels kernels,
      KernelEntry entry,
      Operands weights,
      Rows x,
      LinearEpilogue epilogue,
      Rows y) {
    Kernel kernel = kernels.kernel(entry.entry());
    Tile tile = entry.tile().orElseThrow();
    return OperationKernels.launch(
        kernel,
        Math.ceilDiv((long) y.pitch(), tile.out()) * Math.ceilDiv(x.rows(), tile.tokens()),
        1,
        arguments ->
            arguments
                .pointer("w", weights.entries)
                .pointer("rowOffsets", weights.rowOffsets)
                .pointer("x", x.address())
                .pointer("bias", epilogue.bias())
                .pointer("residual", Rows.addressOf(epilogue.residual()))
                .pointer("y", y.address())
                .i32("tokens", Math.toIntExact(x.rows()))
                .i32("rows", y.columns())
                .i32("columns", x.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch())
                .i32("pitchResidual", Rows.pitchOf(epilogue.residual()))
                .i32("activationKind", LinearEpilogue.kind(epilogue.activation()))
                .i32("wide", LinearEpilogue.wide(epilogue.residual(), y)));
  }
}
