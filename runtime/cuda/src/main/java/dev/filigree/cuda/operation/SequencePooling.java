package dev.filigree.cuda.operation;

import dev.filigree.DType;

/** From the tokens of a sequence to one vector. */
public final class SequencePooling {
  /** Features that a block of the kernel sums. */
  private static final int FEATURES = 256;

  private SequencePooling() {}

  /**
   * Mean of the tokens, weighted by a mask; zeros where it keeps none.
   *
   * @param x {@code [batch * sequence, columns]} in f16 or bf16
   * @param mask address of {@code [batch, sequence]} of i64 or i32; 0 for all tokens
   * @param maskType its type
   * @param y f32 {@code [batch, columns]}
   */
  public static Launch mean(
      OperationKernels kernels, Rows x, int sequence, long mask, DType maskType, Rows y) {
    return OperationKernels.launch(
        kernels.typed("mean_pooling", x.dtype()),
        y.rows() * Math.ceilDiv(y.pitch(), FEATURES),
        1,
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("mask", mask)
                .i32("maskBytes", maskType.bytes())
                .pointer("y", y.address())
                .i32("sequence", sequence)
                .i32("columns", x.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }
}
