package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Eight-bit integers with a scale, {@code value = (code - zeroPoint) * scale}.
 *
 * @param dtype i8 or u8
 * @param codes the integers
 * @param scales one f32 for all rows or one for each row
 * @param zeroPoints none, or as many as there are scales, of the codes' type
 */
public record IntegerValues(
    DType dtype, MemorySegment codes, MemorySegment scales, MemorySegment zeroPoints)
    implements Values {
  /** No zero points: symmetric quantisation. */
  public static final MemorySegment SYMMETRIC = MemorySegment.ofArray(new byte[0]);

  public IntegerValues {
    if (dtype != DType.I8 && dtype != DType.U8) {
      throw new WeightsException(
          "integer values of type " + dtype + " are not supported", "use i8 or u8");
    }
    if (scales.byteSize() == 0 || scales.byteSize() % 4 != 0) {
      throw new WeightsException(
          "the scales take " + scales.byteSize() + " bytes", "store one f32, or one for each row");
    }
    if (zeroPoints.byteSize() != 0 && zeroPoints.byteSize() != scales.byteSize() / 4) {
      throw new WeightsException(
          zeroPoints.byteSize() + " zero points for " + scales.byteSize() / 4 + " scales",
          "store as many zero points as scales, or none");
    }
  }

  @Override
  public long count() {
    return codes.byteSize();
  }

  @Override
  public long bytes() {
    return codes.byteSize() + scales.byteSize() + zeroPoints.byteSize();
  }

  @Override
  public String encoding() {
    return "int8";
  }

  /** The scale of a row. */
  public float scale(int row) {
    return scales.get(DType.FLOAT, scales.byteSize() == 4 ? 0 : row * 4L);
  }

  /** The same codes and zero points with every scale 1. */
  public IntegerValues unscaled() {
    float[] ones = new float[Math.toIntExact(scales.byteSize() / Float.BYTES)];
    Arrays.fill(ones, 1);
    return new IntegerValues(dtype, codes, MemorySegment.ofArray(ones), zeroPoints);
  }

  /** The zero point of a row; 0 when symmetric. */
  public int zeroPoint(int row) {
    if (zeroPoints.byteSize() == 0) {
      return 0;
    }
    return (int) dtype.readLong(zeroPoints, zeroPoints.byteSize() == 1 ? 0 : row);
  }

  @Override
  public void decode(int row, long position, long stride, int count, float[] into, int at) {
    float scale = scale(row);
    int zeroPoint = zeroPoint(row);
    int mask = dtype == DType.U8 ? 0xff : -1;
    for (int i = 0; i < count; i++) {
      into[at + i] = ((codes.get(DType.BYTE, position + i * stride) & mask) - zeroPoint) * scale;
    }
  }

  @Override
  public void validate(String layer, int rows) {
    long count = scales.byteSize() / 4;
    if (count != 1 && count != rows) {
      throw new WeightsException(
          "layer " + layer + " has " + count + " scales for " + rows + " rows",
          "store one scale, or one for each row");
    }
    for (int i = 0; i < count; i++) {
      if (!Float.isFinite(scale(i))) {
        throw new WeightsException(
            "layer " + layer + " has the scale " + scale(i) + " in row " + i,
            "quantise the layer again from finite weights");
      }
    }
  }
}
