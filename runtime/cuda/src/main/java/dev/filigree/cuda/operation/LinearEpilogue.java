package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;

/**
 * What is done with the sums of a linear layer: {@code y = activation(sums + bias + residual)}.
 *
 * @param bias address of f32 {@code [rows]}, 0 for none
 * @param residual of the shape of y, in the type of the activations or in f32, or null
 * @param activation applied last
 */
public record LinearEpilogue(long bias, Rows residual, Activation activation) {
  /** Nothing. */
  public static final LinearEpilogue NONE = new LinearEpilogue(0, null, Activation.NONE);

  /** Bits of the kernels' parameter {@code wide}, see {@code gemm/wide.cuh}. */
  private static final int WIDE_RESULT = 1;

  private static final int WIDE_RESIDUAL = 2;

  /** The number kernels know an activation by, see {@code gemm/activation.cuh}. */
  public static int kind(Activation activation) {
    return switch (activation) {
      case NONE -> 0;
      case RELU -> 1;
      case GELU -> 2;
      case GELU_TANH -> 3;
      case SILU -> 4;
      case TANH -> 5;
      case SIGMOID -> 6;
      case HARD_SWISH -> 7;
    };
  }

  /** Which operands are f32 in place of the activations' type, as kernels are told. */
  public static int wide(Rows residual, Rows y) {
    return (y.dtype() == DType.F32 ? WIDE_RESULT : 0)
        | (residual != null && residual.dtype() == DType.F32 ? WIDE_RESIDUAL : 0);
  }

  /** Bytes of a library's sums. */
  public static long sumBytes(int tokens, int rows) {
    return (long) tokens * Rows.pitch(DType.F32, rows) * Float.BYTES;
  }

  /** A library's sums at an address. */
  public static Rows sums(long address, int tokens, int rows) {
    return new Rows(address, DType.F32, tokens, rows, Rows.pitch(DType.F32, rows));
  }

  /** Finishes sums that a library has left, by {@code gemm/linear_epilogue.cu}. */
  public Launch finish(OperationKernels kernels, Rows sums, Rows y) {
    return OperationKernels.eights(
        kernels.kernel("linear_epilogue_f16"),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .pointer("sums", sums.address())
                .pointer("bias", bias)
                .pointer("residual", Rows.addressOf(residual))
                .pointer("y", y.address())
                .i32("tokens", Math.toIntExact(y.rows()))
                .i32("rows", y.columns())
                .i32("pitchSums", sums.pitch())
                .i32("pitchY", y.pitch())
                .i32("pitchResidual", Rows.pitchOf(residual))
                .i32("activationKind", kind(activation))
                .i32("wide", wide(residual, y)));
  }
}
