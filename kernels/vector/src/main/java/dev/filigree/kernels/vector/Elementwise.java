package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.OneCode;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Kernels over consecutive values: whole vectors, then what is left one by one as the scalar twin
 * has it. Panels are whole vectors, so few values are ever left; masked vectors for them would cost
 * more than they save, since C2 makes objects of masks on paths that it sees taken rarely.
 */
final class Elementwise {
  /**
   * Added and subtracted again it leaves the nearest integer of a float of small size, ties to
   * even: 1.5 * 2^23 has no bits for fractions.
   */
  private static final float ROUND = 12582912f;

  private Elementwise() {}

  /** Bytes of the whole vectors among a number of values. */
  private static long whole(long count) {
    return count / Lanes.COUNT * BYTES;
  }

  private static FloatVector load(long x) {
    return FloatVector.fromMemorySegment(F, ALL, x, ORDER);
  }

  /** Applies a function in place. */
  static void activate(Activation activation, long x, long count) {
    long whole = whole(count);
    switch (activation) {
      case NONE -> {
        return;
      }
      case RELU -> relu(x, whole);
      case GELU -> gelu(x, whole);
      case GELU_TANH -> geluTanh(x, whole);
      case TANH -> tanh(x, whole);
      case SIGMOID -> sigmoid(x, whole);
      case SILU -> silu(x, whole);
      case HARD_SWISH -> hardSwish(x, whole);
    }
    for (long i = whole; i < count * Float.BYTES; i += Float.BYTES) {
      ALL.set(DType.FLOAT, x + i, (float) activation.apply(ALL.get(DType.FLOAT, x + i)));
    }
  }

  private static void hardSwish(long x, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector value = load(x + i);
      FloatVector gate = value.mul(1f / 6).add(0.5f).max(0f).min(1f);
      value.mul(gate).intoMemorySegment(ALL, x + i, ORDER);
    }
  }

  private static void relu(long x, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      load(x + i).max(0f).intoMemorySegment(ALL, x + i, ORDER);
    }
  }

  private static void gelu(long x, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      VectorMath.gelu(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
  }

  private static void geluTanh(long x, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      VectorMath.geluTanh(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
  }

  private static void tanh(long x, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      VectorMath.tanh(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
  }

  private static void sigmoid(long x, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      VectorMath.sigmoid(load(x + i)).intoMemorySegment(ALL, x + i, ORDER);
    }
  }

  /** Far below zero a sigmoid is 0, and infinity times it would be NaN. */
  private static void silu(long x, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector value = load(x + i);
      VectorMath.sigmoid(value)
          .mul(value.max(-Float.MAX_VALUE))
          .intoMemorySegment(ALL, x + i, ORDER);
    }
  }

  static void add(long a, long b, long y, long count) {
    long whole = whole(count);
    for (long i = 0; i < whole; i += BYTES) {
      load(a + i).add(load(b + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole; i < count * Float.BYTES; i += Float.BYTES) {
      ALL.set(DType.FLOAT, y + i, ALL.get(DType.FLOAT, a + i) + ALL.get(DType.FLOAT, b + i));
    }
  }

  static void clamp(long x, long y, long count, float factor, float shift, float low, float high) {
    long whole = whole(count);
    for (long i = 0; i < whole; i += BYTES) {
      load(x + i).mul(factor).add(shift).max(low).min(high).intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole; i < count * Float.BYTES; i += Float.BYTES) {
      float value = ALL.get(DType.FLOAT, x + i) * factor + shift;
      ALL.set(DType.FLOAT, y + i, Math.min(Math.max(value, low), high));
    }
  }

  static void range(long x, long count, float[] range) {
    long whole = whole(count);
    FloatVector min = FloatVector.broadcast(F, range[0]);
    FloatVector max = FloatVector.broadcast(F, range[1]);
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector v = load(x + i);
      min = v.min(min);
      max = v.max(max);
    }
    float least = FloatVector.broadcast(F, 1f).mul(min).reduceLanes(VectorOperators.MIN);
    float most = FloatVector.broadcast(F, 1f).mul(max).reduceLanes(VectorOperators.MAX);
    for (long i = whole; i < count * Float.BYTES; i += Float.BYTES) {
      least = Math.min(least, ALL.get(DType.FLOAT, x + i));
      most = Math.max(most, ALL.get(DType.FLOAT, x + i));
    }
    range[0] = least;
    range[1] = most;
  }

  static void quantize(long x, long y, long count, float scale, int zeroPoint) {
    long whole = whole(count);
    FloatVector least = FloatVector.broadcast(F, -zeroPoint);
    float greatest = 255 - zeroPoint;
    for (long i = 0; i < whole; i += BYTES) {
      // the quotient must be the scalar twin's, so it is a division; codes are clamped before they
      // are rounded, which gives the same and keeps the rounding in range; nothing compares with
      // NaN, whose code is the least
      FloatVector quotient = load(x + i).div(scale);
      least
          .blend(quotient, quotient.compare(VectorOperators.GT, least))
          .min(greatest)
          .add(ROUND)
          .sub(ROUND)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole; i < count * Float.BYTES; i += Float.BYTES) {
      float quotient = ALL.get(DType.FLOAT, x + i) / scale;
      ALL.set(DType.FLOAT, y + i, OneCode.requantized(quotient, 1, -zeroPoint, greatest));
    }
  }
}
