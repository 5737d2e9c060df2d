package dev.filigree.cuda.operation;

/** Quantisation of each token to int8 with a scale of its own. */
public final class TokenQuantization {
  private TokenQuantization() {}

  /**
   * {@code tokenScale = max |x| / 127} and {@code y = x * (127 / max |x|)}, rounded to nearest with
   * ties to even. A token of zeros has scale 0; one with a NaN or an infinity has it as its scale
   * and codes 0, so that what is computed from it is NaN.
   *
   * @param x {@code [tokens, columns]} in f16 or bf16
   * @param y i8, its pitch a multiple of 16
   * @param tokenScales address of f32 {@code [tokens]}
   */
  public static Launch quantize(OperationKernels kernels, Rows x, Rows y, long tokenScales) {
    return kernels.rows(
        "quantize_tokens_" + x.dtype(),
        x.rows(),
        x.columns(),
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .pointer("tokenScales", tokenScales)
                .i32("tokens", Math.toIntExact(x.rows()))
                .i32("columns", x.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }
}
