package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Eight-bit integers: as s8 without a zero point for the integer tensor cores, or as u8 with one
 * for kernels that expand them to f16.
 *
 * @param weights whose values they are
 * @param values the integers
 * @param signed whether s8 is wanted
 */
record StoredIntegers(Weights weights, IntegerValues values, boolean signed) implements StoredRows {
  /** The f16 number whose last place is 1: a byte as its low bits adds the byte. */
  private static final int F16_BIAS = 1024;

  /** Turns s8 into u8. */
  private static final int SIGN = 128;

  /** Whether the integers minus their zero points are all s8. */
  static boolean fit(IntegerValues values) {
    int middle = values.dtype() == DType.U8 ? SIGN : 0;
    long zeroPoints = values.zeroPoints().byteSize();
    if (zeroPoints == 0) {
      return values.dtype() == DType.I8;
    }
    for (int row = 0; row < zeroPoints; row++) {
      if (values.zeroPoint(row) != middle) {
        return false;
      }
    }
    return true;
  }

  /** Whether they are integers of five to eight bits without groups, which bytes hold. */
  static boolean fit(PackedIntegers values) {
    return values.bits() > StoredGroups.BITS && StoredGroups.isOneGroup(values);
  }

  /** Whether such integers minus their zero points are all s8. */
  static boolean isSigned(PackedIntegers values) {
    int greatest = (1 << values.bits()) - 1;
    for (long at = 0; at < values.count(); at += values.perRow()) {
      int zeroPoint = values.zeroPoint(at);
      if (zeroPoint > -Byte.MIN_VALUE || greatest - zeroPoint > Byte.MAX_VALUE) {
        return false;
      }
    }
    return true;
  }

  /** Integers as bytes. */
  static StoredIntegers of(Weights weights, Values values, boolean signed) {
    return new StoredIntegers(
        weights,
        values instanceof PackedIntegers packed ? bytes(packed) : (IntegerValues) values,
        signed);
  }

  private static IntegerValues bytes(PackedIntegers values) {
    boolean toSigned = isSigned(values);
    byte[] codes = new byte[Math.toIntExact(values.count())];
    int rows = codes.length / values.perRow();
    float[] scales = new float[rows];
    byte[] zeroPoints = new byte[toSigned ? 0 : rows];
    for (int row = 0; row < rows; row++) {
      int first = row * values.perRow();
      scales[row] = values.scale(first);
      int zeroPoint = values.zeroPoint(first);
      if (!toSigned) {
        zeroPoints[row] = (byte) zeroPoint;
      }
      for (int i = first; i < first + values.perRow(); i++) {
        codes[i] = (byte) (values.code(i) - (toSigned ? zeroPoint : 0));
      }
    }
    return new IntegerValues(
        toSigned ? DType.I8 : DType.U8,
        MemorySegment.ofArray(codes),
        MemorySegment.ofArray(scales),
        MemorySegment.ofArray(zeroPoints));
  }

  @Override
  public void row(int row, int[] into) {
    int count = StoredRows.count(weights);
    long first = StoredRows.first(weights, row);
    long stride = StoredRows.stride(weights);
    int zero = signed ? 0 : unsigned(values.zeroPoint(row));
    int flip = signed == (values.dtype() == DType.I8) ? 0 : SIGN;
    for (int i = 0; i < count; i++) {
      into[i] = (values.codes().get(DType.BYTE, first + i * stride) ^ flip) & 0xff;
    }
    Arrays.fill(into, count, into.length, zero);
  }

  /** A zero point in the codes' u8 form. */
  private int unsigned(int zeroPoint) {
    return values.dtype() == DType.I8 ? zeroPoint + SIGN : zeroPoint;
  }

  @Override
  public MemorySegment scales(int padded, Arena arena) {
    MemorySegment scales = arena.allocate((long) padded * Float.BYTES, 16);
    for (int row = 0; row < weights.rows(); row++) {
      scales.set(DType.FLOAT, (long) row * Float.BYTES, values.scale(row));
    }
    return scales;
  }

  @Override
  public MemorySegment offsets(int padded, Arena arena) {
    if (signed) {
      return arena.allocate(0);
    }
    MemorySegment offsets = arena.allocate((long) padded * Short.BYTES, 16);
    for (int row = 0; row < padded; row++) {
      int zero = row < weights.rows() ? unsigned(values.zeroPoint(row)) : 0;
      offsets.set(
          DType.SHORT, (long) row * Short.BYTES, Float.floatToFloat16((float) (F16_BIAS + zero)));
    }
    return offsets;
  }
}
