package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Kernels over one row of features, with vectors along features: each step takes the whole vectors
 * and then what is left one by one. The two are methods of their own, which keeps each small enough
 * for C2 to inline all of its vector operations.
 */
final class Horizontal {
  private Horizontal() {}

  private static float get(long x) {
    return ALL.get(DType.FLOAT, x);
  }

  /** Layer normalisation of a single token. */
  static void layerNormalization(
      long x, long y, int features, float[] scale, float[] bias, float epsilon) {
    long end = (long) features * Float.BYTES;
    long whole = end / BYTES * BYTES;
    float sum = sum(x, whole);
    for (long i = whole; i < end; i += Float.BYTES) {
      sum += get(x + i);
    }
    float mean = sum / features;
    float square = squares(x, whole, mean);
    for (long i = whole; i < end; i += Float.BYTES) {
      float d = get(x + i) - mean;
      square += d * d;
    }
    float inverse = (float) (1 / Math.sqrt(square / features + epsilon));
    for (int f = 0; f < features; f++) {
      long at = (long) f * Float.BYTES;
      float normal = (get(x + at) - mean) * inverse * scale[f];
      ALL.set(DType.FLOAT, y + at, bias == null ? normal : normal + bias[f]);
    }
  }

  private static float sum(long x, long bytes) {
    FloatVector sums = FloatVector.zero(F);
    for (long i = 0; i < bytes; i += BYTES) {
      sums = FloatVector.fromMemorySegment(F, ALL, x + i, ORDER).add(sums);
    }
    return FloatVector.broadcast(F, 1f).mul(sums).reduceLanes(VectorOperators.ADD);
  }

  private static float squares(long x, long bytes, float mean) {
    FloatVector means = FloatVector.broadcast(F, mean);
    FloatVector squares = FloatVector.zero(F);
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, x + i, ORDER).sub(means);
      squares = d.fma(d, squares);
    }
    return FloatVector.broadcast(F, 1f).mul(squares).reduceLanes(VectorOperators.ADD);
  }

  /** Softmax of one row. */
  static void softmax(long x, long y, int count) {
    long end = (long) count * Float.BYTES;
    long whole = end / BYTES * BYTES;
    float max = max(x, whole);
    for (long i = whole; i < end; i += Float.BYTES) {
      max = Math.max(max, get(x + i));
    }
    float sum = exponentials(x, y, whole, max);
    for (long i = whole; i < end; i += Float.BYTES) {
      float e = (float) Math.exp(get(x + i) - max);
      ALL.set(DType.FLOAT, y + i, e);
      sum += e;
    }
    float inverse = 1 / sum;
    scale(y, whole, inverse);
    for (long i = whole; i < end; i += Float.BYTES) {
      ALL.set(DType.FLOAT, y + i, get(y + i) * inverse);
    }
  }

  private static float max(long x, long bytes) {
    FloatVector most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    for (long i = 0; i < bytes; i += BYTES) {
      most = FloatVector.fromMemorySegment(F, ALL, x + i, ORDER).max(most);
    }
    return FloatVector.broadcast(F, 1f).mul(most).reduceLanes(VectorOperators.MAX);
  }

  /** Writes {@code e^(x - max)} and returns the sum. */
  private static float exponentials(long x, long y, long bytes, float max) {
    FloatVector most = FloatVector.broadcast(F, max);
    FloatVector sums = FloatVector.zero(F);
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector e = VectorMath.exp(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER).sub(most));
      e.intoMemorySegment(ALL, y + i, ORDER);
      sums = e.add(sums);
    }
    return FloatVector.broadcast(F, 1f).mul(sums).reduceLanes(VectorOperators.ADD);
  }

  private static void scale(long y, long bytes, float factor) {
    FloatVector factors = FloatVector.broadcast(F, factor);
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector.fromMemorySegment(F, ALL, y + i, ORDER)
          .mul(factors)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
  }
}
