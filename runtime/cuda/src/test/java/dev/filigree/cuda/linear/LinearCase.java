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
 * @param isWide whether residual and result are f32
 */
record LinearCase(
    Weights weights,
    ActivationType type,
    int tokens,
    float[] x,
    float[] tokenScales,
    float[] bias,
    float[] residual,
    Activation activation,
    boolean isWide) {

  /** The type of floats that go in: that of the activations, f16 when they are i8. */
  DType operand() {
    return type == ActivationType.BF16 ? DType.BF16 : DType.F16;
  }

  /** The type of the result and the residual. */
  DType result() {
    return isWide ? DType.F32 : operand();
  }

  /** A number rounded to a type. */
  static float round(DType dtype, float value) {
    return switch (dtype) {
      case BF16 -> Float.intBitsToFloat(DType.toBfloat16(value) << 16);
      case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
      default -> value;
    };
  }
}
