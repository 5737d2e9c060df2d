package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Values;

/** Rounds to a floating-point type. */
record FloatCoder(DType dtype) implements Coder {
  @Override
  public double round(int row, int column, double value) {
    return switch (dtype) {
      case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) value));
      case BF16 -> Float.intBitsToFloat(DType.toBfloat16((float) value) << 16);
      default -> (float) value;
    };
  }

  @Override
  public Values encode(float[] values, int rows, int perRow) {
    return FloatValues.of(dtype, values);
  }

  @Override
  public Values encode(float[] values, Mask mask) {
    return FloatValues.of(dtype, values);
  }
}
