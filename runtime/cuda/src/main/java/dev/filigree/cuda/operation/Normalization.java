package dev.filigree.cuda.operation;

/** LayerNorm and RMSNorm of rows, and rows of length 1. */
public final class Normalization {
  private Normalization() {}

  /**
   * Where a normalised matrix goes.
   *
   * @param y of the type of x, f16 where that is f32; null where only exact is wanted
   * @param exact in f32, or null
   */
  public record Results(Rows y, Rows exact) {
    /** In the type of x alone. */
    public Results(Rows y) {
      this(y, null);
    }
  }

  /**
   * {@code y = (s - mean(s)) / sqrt(variance(s) + epsilon) * scale + bias} of each row of {@code s
   * = x + residual}.
   *
   * @param x {@code [tokens, columns]} in f16, bf16 or f32
   * @param residual of the same form, or null
   * @param scale address of f32 {@code [columns]}, padded with zeros to a multiple of 8; 0 for none
   * @param bias the same
   * @param sum receives s, or null
   * @param results may be x
   */
  public static Launch layer(
      OperationKernels kernels,
      Rows x,
      Rows residual,
      long scale,
      long bias,
      Rows sum,
      Results results,
      float epsilon) {
    return normalise(
        kernels, "layer_normalization_", x, residual, scale, bias, sum, results, epsilon);
  }

  /** The same without the mean: {@code y = s / sqrt(mean(s^2) + epsilon) * scale + bias}. */
  public static Launch rms(
      OperationKernels kernels,
      Rows x,
      Rows residual,
      long scale,
      long bias,
      Rows sum,
      Results results,
      float epsilon) {
    return normalise(
        kernels, "rms_normalization_", x, residual, scale, bias, sum, results, epsilon);
  }

  private static Launch normalise(
      OperationKernels kernels,
      String entry,
      Rows x,
      Rows residual,
      long scale,
      long bias,
      Rows sum,
      Results results,
      float epsilon) {
    return kernels.rows(
        entry + x.dtype(),
        x.rows(),
        x.columns(),
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("residual", Rows.addressOf(residual))
                .pointer("scale", scale)
                .pointer("bias", bias)
                .pointer("sum", Rows.addressOf(sum))
                .pointer("y", Rows.addressOf(results.y))
                .pointer("exact", Rows.addressOf(results.exact))
                .i32("tokens", Math.toIntExact(x.rows()))
                .i32("columns", x.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchResidual", Rows.pitchOf(residual))
                .i32("pitchSum", Rows.pitchOf(sum))
                .i32("pitchY", Rows.pitchOf(results.y))
                .i32("pitchExact", Rows.pitchOf(results.exact))
                .f32("epsilon", epsilon));
  }

  /**
   * {@code y = x / max(|x|, epsilon)} of each row.
   *
   * @param x f32, f16 or bf16
   * @param y of the same type; may be x
   */
  public static Launch length(OperationKernels kernels, Rows x, Rows y, float epsilon) {
    return OperationKernels.warps(
        kernels.typed("normalize_length", x.dtype()),
        x.rows(),
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .i32("tokens", Math.toIntExact(x.rows()))
                .i32("columns", x.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch())
                .f32("epsilon", epsilon));
  }
}
