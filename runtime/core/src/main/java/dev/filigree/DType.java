package dev.filigree;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Locale;

/**
 * Element types of tensors. Values lie in memory little-endian and may be unaligned; a bool is one
 * byte, 0 or 1.
 */
public enum DType {
  F64(8, true),
  F32(4, true),
  F16(2, true),
  BF16(2, true),
  I8(1, false),
  U8(1, false),
  I16(2, false),
  U16(2, false),
  I32(4, false),
  U32(4, false),
  I64(8, false),
  U64(8, false),
  BOOL(1, false);

  /** Layouts of little-endian, possibly unaligned values: files align nothing. */
  public static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  public static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

  private final int bytes;
  private final boolean floating;

  DType(int bytes, boolean floating) {
    this.bytes = bytes;
    this.floating = floating;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** Whether the type is one of the floating-point types. */
  public boolean isFloating() {
    return floating;
  }

  /** Whether the type is an integer type; a bool is not. */
  public boolean isInteger() {
    return !floating && this != BOOL;
  }

  /** Whether the type is an integer type without negative values. */
  public boolean isUnsigned() {
    return this == U8 || this == U16 || this == U32 || this == U64;
  }

  /** The least whole number of an integer type; of a bool 0. */
  public long least() {
    return isInteger() && !isUnsigned() ? -1L << bytes * Byte.SIZE - 1 : 0;
  }

  /** The greatest whole number of an integer type; of a bool 1, of a u64 its bits. */
  public long greatest() {
    if (this == BOOL) {
      return 1;
    }
    return isUnsigned() ? -1L >>> Long.SIZE - bytes * Byte.SIZE : ~least();
  }

  /** The element at a byte offset as a double: exact but for 64-bit integers beyond 2^53. */
  public double readDouble(MemorySegment data, long offset) {
    return switch (this) {
      case F64 -> data.get(DOUBLE, offset);
      case F32 -> data.get(FLOAT, offset);
      case F16 -> Float.float16ToFloat(data.get(SHORT, offset));
      case BF16 -> Float.intBitsToFloat(data.get(SHORT, offset) << 16);
      case U64 -> unsigned(data.get(LONG, offset));
      default -> readLong(data, offset);
    };
  }

  /** A long whose bits are an unsigned integer. */
  private static double unsigned(long bits) {
    // the lowest bit sticks, so that halving and doubling rounds once
    return bits >= 0 ? bits : ((bits >>> 1) | (bits & 1)) * 2.0;
  }

  /** An unsigned integer's bits from a value, truncated and clamped. */
  private static long unsignedBits(double value) {
    return value < 0x1p63 ? (long) value : (long) (value - 0x1p63) ^ Long.MIN_VALUE;
  }

  /**
   * The element at a byte offset as a long, the bits of a u64; a float type is truncated as a Java
   * cast does.
   */
  public long readLong(MemorySegment data, long offset) {
    return switch (this) {
      case I64, U64 -> data.get(LONG, offset);
      case U32 -> data.get(INT, offset) & 0xffffffffL;
      case I16 -> data.get(SHORT, offset);
      case U16 -> data.get(SHORT, offset) & 0xffff;
      case I32 -> data.get(INT, offset);
      case I8 -> data.get(BYTE, offset);
      case U8, BOOL -> data.get(BYTE, offset) & 0xff;
      default -> (long) readDouble(data, offset);
    };
  }

  /**
   * Stores a value rounded to the type, ties to even; an integer type takes it as a Java cast from
   * double does, and a bool stores whether it is not 0.
   */
  public void writeDouble(MemorySegment data, long offset, double value) {
    switch (this) {
      case F64 -> data.set(DOUBLE, offset, value);
      case F32 -> data.set(FLOAT, offset, (float) value);
      case F16 -> data.set(SHORT, offset, Float.floatToFloat16(toOdd(value)));
      case BF16 -> data.set(SHORT, offset, toBfloat16(toOdd(value)));
      case I64 -> data.set(LONG, offset, (long) value);
      case U64 -> data.set(LONG, offset, unsignedBits(value));
      case U32 -> data.set(INT, offset, (int) (long) value);
      case I16, U16 -> data.set(SHORT, offset, (short) (long) value);
      case I32 -> data.set(INT, offset, (int) value);
      case I8, U8 -> data.set(BYTE, offset, (byte) value);
      case BOOL -> data.set(BYTE, offset, (byte) (value != 0 ? 1 : 0));
    }
  }

  /**
   * Stores the low bits of an integer, as two's complement wraps; a bool stores whether it is not
   * 0.
   */
  public void writeLong(MemorySegment data, long offset, long value) {
    switch (this) {
      case I64, U64 -> data.set(LONG, offset, value);
      case I16, U16 -> data.set(SHORT, offset, (short) value);
      case I32, U32 -> data.set(INT, offset, (int) value);
      case I8, U8 -> data.set(BYTE, offset, (byte) value);
      case BOOL -> data.set(BYTE, offset, (byte) (value != 0 ? 1 : 0));
      default -> writeDouble(data, offset, value);
    }
  }

  /**
   * A double as a float, rounded to odd: what is not exact gets an odd last bit. A second rounding,
   * to a type with at least two bits less, then gives what a single one would (S. Boldo, G.
   * Melquiond: When double rounding is odd, 2005).
   */
  private static float toOdd(double value) {
    float nearest = (float) value;
    if (nearest == value || Float.isNaN(nearest) || Float.isInfinite(nearest)) {
      return nearest;
    }
    int bits = Float.floatToRawIntBits(nearest);
    int towardsZero = Math.abs((double) nearest) > Math.abs(value) ? bits - 1 : bits;
    return Float.intBitsToFloat(towardsZero | 1);
  }

  /** The bits of the bfloat16 nearest to a float, ties to even; a NaN stays a NaN. */
  public static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    int rounding = 0x7fff + (bits >>> 16 & 1);
    return (short) (bits + rounding >>> 16);
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
