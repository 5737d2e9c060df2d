package dev.filigree.cuda.linear;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.weights.Weights;

/**
 * A linear layer with inputs, and what it must give.
 *
 * @param weights {@code [rows, columns]}
 * @param type of the activations
 * @param x {@code [tokens, columns]}, representable in the type; integers for i8
 * @param tokenScales of i8 activations, {@code [tokens]}
 * @param bias {@code [rows]} or null
 * @param residual {@code [tokens, rows]} or null, representable in the type of the result
 * @param activation applied last
 */
record LinearCase(
    Weights weights,
    ActivationType type,
    int tokens,
    float[] x,
    float[] tokenScales,
    float[] bias,
    float[] residual,
    Activation activation) {

  /** The result's type: that of the activations, f16 when they are i8. */
  DType result() {
    return type == ActivationType.BF16 ? DType.BF16 : DType.F16;
  }

  /** A number rounded to a 16-bit type. */
  static float round(DType dtype, float value) {
    return dtype == DType.BF16
        ? Float.intBitsToFloat(DType.toBfloat16(value) << 16)
        : Float.float16ToFloat(Float.floatToFloat16(value));
  }
}
