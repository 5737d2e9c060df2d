package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Kernels over consecutive values: whole vectors, then one masked vector for the rest. */
final class Elementwise {
  private Elementwise() {}

  /** The lanes that are left of a number of values; all of them while there are enough. */
  private static VectorMask<Float> rest(long end, long at) {
    return F.indexInRange(at / Float.BYTES, end / Float.BYTES);
  }

  private static FloatVector load(long x) {
    return FloatVector.fromMemorySegment(F, ALL, x, ORDER);
  }

  static void relu(long x, long count) {
    long end = count * Float.BYTES;
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      load(x + i).max(0f).intoMemorySegment(ALL, x + i, ORDER);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      FloatVector.fromMemorySegment(F, ALL, x + i, ORDER, rest)
          .max(0f)
          .intoMemorySegment(ALL, x + i, ORDER, rest);
    }
  }

  static void gelu(long x, long count) {
    long end = count * Float.BYTES;
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      VectorMath.gelu(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      VectorMath.gelu(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER, rest))
          .intoMemorySegment(ALL, x + i, ORDER, rest);
    }
  }

  static void geluTanh(long x, long count) {
    long end = count * Float.BYTES;
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      VectorMath.geluTanh(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      VectorMath.geluTanh(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER, rest))
          .intoMemorySegment(ALL, x + i, ORDER, rest);
    }
  }

  static void tanh(long x, long count) {
    long end = count * Float.BYTES;
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      VectorMath.tanh(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      VectorMath.tanh(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER, rest))
          .intoMemorySegment(ALL, x + i, ORDER, rest);
    }
  }

  static void sigmoid(long x, long count) {
    long end = count * Float.BYTES;
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      VectorMath.sigmoid(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      VectorMath.sigmoid(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER, rest))
          .intoMemorySegment(ALL, x + i, ORDER, rest);
    }
  }

  static void add(long a, long b, long y, long count) {
    long end = count * Float.BYTES;
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      load(a + i).add(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      FloatVector.fromMemorySegment(F, ALL, a + i, ORDER, rest)
          .add(FloatVector.fromMemorySegment(F, ALL, b + i, ORDER, rest))
          .intoMemorySegment(ALL, y + i, ORDER, rest);
    }
  }

  static void range(long x, long count, float[] range) {
    long end = count * Float.BYTES;
    FloatVector min = FloatVector.broadcast(F, range[0]);
    FloatVector max = FloatVector.broadcast(F, range[1]);
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      FloatVector v = load(x + i);
      min = min.min(v);
      max = max.max(v);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, x + i, ORDER, rest);
      min = min.lanewise(VectorOperators.MIN, v, rest);
      max = max.lanewise(VectorOperators.MAX, v, rest);
    }
    range[0] = min.reduceLanes(VectorOperators.MIN);
    range[1] = max.reduceLanes(VectorOperators.MAX);
  }

  static void roundToLevels(long x, long y, long count, float scale, int zeroPoint) {
    long end = count * Float.BYTES;
    long i = 0;
    for (; i + BYTES <= end; i += BYTES) {
      levels(load(x + i), scale, zeroPoint).intoMemorySegment(ALL, y + i, ORDER);
    }
    if (i < end) {
      VectorMask<Float> rest = rest(end, i);
      levels(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER, rest), scale, zeroPoint)
          .intoMemorySegment(ALL, y + i, ORDER, rest);
    }
  }

  private static FloatVector levels(FloatVector x, float scale, int zeroPoint) {
    // the quotient must be the scalar twin's, so it is a division; codes are clamped before they
    // are rounded, which gives
    // the same and keeps the conversion in range
    FloatVector quotient = x.div(scale).max(-zeroPoint).min(255 - zeroPoint);
    return round(quotient).mul(scale);
  }

  /**
   * To the nearest integer, ties to even, for values of small size: the sum with 1.5 * 2^23 has no
   * bits for fractions.
   */
  private static FloatVector round(FloatVector x) {
    float shift = 12582912f;
    return x.add(shift).sub(shift);
  }
}
