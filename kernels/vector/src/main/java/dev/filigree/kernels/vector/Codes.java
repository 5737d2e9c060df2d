package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import dev.filigree.spi.CodeProduct;
import dev.filigree.spi.CodeSum;
import dev.filigree.spi.OneCode;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Kernels on codes of 8 bits: whole vectors, then what is left one by one by the scalar twin. */
final class Codes {
  /**
   * Added and subtracted again it leaves the nearest integer of a float of small size, ties to
   * even: 1.5 * 2^23 has no bits for fractions.
   */
  private static final float ROUND = 12582912f;

  /** As many bytes as a vector has floats, where vectors are that short. */
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, COUNT * Byte.SIZE)));

  /**
   * Floats of a vector beside whose bytes there is a vector of bytes; the scalar twin otherwise.
   */
  private static final boolean BYTES_FIT = COUNT * Byte.SIZE >= 64;

  /** Turns u8 into i8 and back. */
  private static final byte FLIP = (byte) 0x80;

  private Codes() {}

  private static long whole(long count) {
    return count / COUNT * COUNT;
  }

  private static float get(long x, long i) {
    return ALL.get(DType.FLOAT, x + i * Float.BYTES);
  }

  private static void set(long y, long i, float value) {
    ALL.set(DType.FLOAT, y + i * Float.BYTES, value);
  }

  static void decode(long x, long y, long count, boolean signed, int zeroPoint, float scale) {
    long whole = BYTES_FIT ? whole(count) : 0;
    byte flip = signed ? 0 : FLIP;
    float shift = signed ? -zeroPoint : 128 - zeroPoint;
    for (long i = 0; i < whole; i += COUNT) {
      ByteVector codes = ByteVector.fromMemorySegment(B, ALL, x + i, ORDER);
      ((FloatVector)
              codes.lanewise(VectorOperators.XOR, flip).convertShape(VectorOperators.B2F, F, 0))
          .add(shift)
          .mul(scale)
          .intoMemorySegment(ALL, y + i * Float.BYTES, ORDER);
    }
    for (long i = whole; i < count; i++) {
      byte code = ALL.get(ValueLayout.JAVA_BYTE, x + i);
      set(y, i, OneCode.decoded(code, signed, zeroPoint, scale));
    }
  }

  static void encode(long x, long y, long count, boolean signed, int zeroPoint, float scale) {
    long whole = BYTES_FIT ? whole(count) : 0;
    byte flip = signed ? 0 : FLIP;
    // codes as i8, which is what floats are converted to
    float shift = signed ? zeroPoint : zeroPoint - 128;
    FloatVector least = FloatVector.broadcast(F, -128 - shift);
    float high = 127 - shift;
    for (long i = 0; i < whole; i += COUNT) {
      FloatVector quotient =
          FloatVector.fromMemorySegment(F, ALL, x + i * Float.BYTES, ORDER).div(scale);
      // nothing compares with NaN, whose code is the least
      FloatVector rounded =
          least
              .blend(quotient, quotient.compare(VectorOperators.GT, least))
              .min(high)
              .add(ROUND)
              .sub(ROUND)
              .add(shift);
      ((ByteVector) rounded.convertShape(VectorOperators.F2B, B, 0))
          .lanewise(VectorOperators.XOR, flip)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole; i < count; i++) {
      byte code = OneCode.encoded(get(x, i), signed, zeroPoint, scale);
      ALL.set(ValueLayout.JAVA_BYTE, y + i, code);
    }
  }

  static void requantize(long x, long y, long count, float factor, float low, float high) {
    long whole = whole(count) * Float.BYTES;
    FloatVector least = FloatVector.broadcast(F, low);
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector product = FloatVector.fromMemorySegment(F, ALL, x + i, ORDER).mul(factor);
      least
          .blend(product, product.compare(VectorOperators.GT, least))
          .min(high)
          .add(ROUND)
          .sub(ROUND)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole(count); i < count; i++) {
      set(y, i, OneCode.requantized(get(x, i), factor, low, high));
    }
  }

  static void add(long a, long b, long y, long count, CodeSum sum) {
    long whole = whole(count) * Float.BYTES;
    FloatVector ratioA = FloatVector.broadcast(F, sum.ratioA());
    FloatVector ratioB = FloatVector.broadcast(F, sum.ratioB());
    FloatVector fixed = FloatVector.broadcast(F, sum.fixed());
    float zeroA = sum.zeroA();
    float zeroB = sum.zeroB();
    float zero = sum.zero();
    float least = sum.least();
    float greatest = sum.greatest();
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector second =
          FloatVector.fromMemorySegment(F, ALL, b + i, ORDER).add(zeroB).fma(ratioB, fixed);
      FloatVector.fromMemorySegment(F, ALL, a + i, ORDER)
          .add(zeroA)
          .fma(ratioA, second)
          .max(least)
          .min(greatest)
          .add(ROUND)
          .sub(ROUND)
          .sub(zero)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole(count); i < count; i++) {
      set(y, i, sum.of(get(a, i), get(b, i)));
    }
  }

  static void multiply(long a, long b, long y, long count, CodeProduct product) {
    long whole = whole(count) * Float.BYTES;
    float factor = product.factor();
    float zero = product.zero();
    float least = product.least();
    float greatest = product.greatest();
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector.fromMemorySegment(F, ALL, a + i, ORDER)
          .mul(FloatVector.fromMemorySegment(F, ALL, b + i, ORDER))
          .mul(factor)
          .add(zero)
          .max(least)
          .min(greatest)
          .add(ROUND)
          .sub(ROUND)
          .sub(zero)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole(count); i < count; i++) {
      set(y, i, product.of(get(a, i), get(b, i)));
    }
  }

  /** The products with one code. */
  static void scale(long a, float b, long y, long count, CodeProduct product) {
    long whole = whole(count) * Float.BYTES;
    float factor = product.factor();
    float zero = product.zero();
    float least = product.least();
    float greatest = product.greatest();
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector.fromMemorySegment(F, ALL, a + i, ORDER)
          .mul(b)
          .mul(factor)
          .add(zero)
          .max(least)
          .min(greatest)
          .add(ROUND)
          .sub(ROUND)
          .sub(zero)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole(count); i < count; i++) {
      set(y, i, product.of(get(a, i), b));
    }
  }
}
