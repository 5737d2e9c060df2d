package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import java.lang.foreign.MemorySegment;

/**
 * Values stored as f32, f16 or bf16.
 *
 * @param dtype the floating-point type
 * @param data the values, little-endian
 */
public record FloatValues(DType dtype, MemorySegment data) implements Values {
  public FloatValues {
    if (!dtype.isFloating() || dtype == DType.F64) {
      throw new WeightsException(
          "values of type " + dtype + " are not floating-point", "use integer values with a scale");
    }
    if (data.byteSize() % dtype.bytes() != 0) {
      throw new WeightsException(
          data.byteSize() + " bytes are no whole number of " + dtype + " values",
          "check the tensor's size");
    }
  }

  /** Values copied from an array and rounded to a type. */
  public static FloatValues of(DType dtype, float[] values) {
    if (dtype == DType.F32) {
      return new FloatValues(dtype, MemorySegment.ofArray(values.clone()));
    }
    MemorySegment data = MemorySegment.ofArray(new short[values.length]);
    for (int i = 0; i < values.length; i++) {
      dtype.writeDouble(data, (long) i * dtype.bytes(), values[i]);
    }
    return new FloatValues(dtype, data);
  }

  @Override
  public long count() {
    return data.byteSize() / dtype.bytes();
  }

  @Override
  public long bytes() {
    return data.byteSize();
  }

  @Override
  public String encoding() {
    return dtype.toString();
  }

  @Override
  public void decode(int row, long position, long stride, int count, float[] into, int at) {
    decode(dtype, data, position, stride, count, into, at);
  }

  /** Decodes values of a type; positions and strides are in elements. */
  static void decode(
      DType dtype,
      MemorySegment data,
      long position,
      long stride,
      int count,
      float[] into,
      int at) {
    if (dtype == DType.F32 && stride == 1) {
      MemorySegment.copy(data, DType.FLOAT, position * 4, into, at, count);
      return;
    }
    switch (dtype) {
      case F32 -> {
        for (int i = 0; i < count; i++) {
          into[at + i] = data.get(DType.FLOAT, (position + i * stride) * 4);
        }
      }
      case F16 -> {
        for (int i = 0; i < count; i++) {
          into[at + i] = Float.float16ToFloat(data.get(DType.SHORT, (position + i * stride) * 2));
        }
      }
      default -> {
        for (int i = 0; i < count; i++) {
          into[at + i] =
              Float.intBitsToFloat(data.get(DType.SHORT, (position + i * stride) * 2) << 16);
        }
      }
    }
  }

  @Override
  public void validate(String layer, int rows) {
    // every bit pattern is a float
  }
}
