package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Kernels over one row of features, with vectors along features. */
final class Horizontal {
  private Horizontal() {}

  /** Layer normalisation of a single token. */
  static void layerNormalization(
      long x, long y, int features, float[] scale, float[] bias, float epsilon) {
    long end = (long) features * Float.BYTES;
    long whole = end / BYTES * BYTES;
    FloatVector sums = FloatVector.zero(F);
    for (long i = 0; i < whole; i += BYTES) {
      sums = sums.add(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER));
    }
    float sum = sums.reduceLanes(VectorOperators.ADD);
    for (long i = whole; i < end; i += Float.BYTES) {
      sum += ALL.get(DType.FLOAT, x + i);
    }
    float mean = sum / features;
    FloatVector squares = FloatVector.zero(F);
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, x + i, ORDER).sub(mean);
      squares = d.fma(d, squares);
    }
    float square = squares.reduceLanes(VectorOperators.ADD);
    for (long i = whole; i < end; i += Float.BYTES) {
      float d = ALL.get(DType.FLOAT, x + i) - mean;
      square += d * d;
    }
    float inverse = (float) (1 / Math.sqrt(square / features + epsilon));
    for (int f = 0; f < features; f++) {
      long at = (long) f * Float.BYTES;
      float normal = (ALL.get(DType.FLOAT, x + at) - mean) * inverse * scale[f];
      ALL.set(DType.FLOAT, y + at, bias == null ? normal : normal + bias[f]);
    }
  }

  /** Softmax of one row. */
  static void softmax(long x, long y, int count) {
    long end = (long) count * Float.BYTES;
    long whole = end / BYTES * BYTES;
    VectorMask<Float> rest = F.indexInRange(whole / Float.BYTES, count);
    FloatVector most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    for (long i = 0; i < whole; i += BYTES) {
      most = most.max(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER));
    }
    if (whole < end) {
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, x + whole, ORDER, rest);
      most = most.lanewise(VectorOperators.MAX, v, rest);
    }
    float max = most.reduceLanes(VectorOperators.MAX);
    FloatVector sums = FloatVector.zero(F);
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector e = VectorMath.exp(FloatVector.fromMemorySegment(F, ALL, x + i, ORDER).sub(max));
      e.intoMemorySegment(ALL, y + i, ORDER);
      sums = sums.add(e);
    }
    if (whole < end) {
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, x + whole, ORDER, rest);
      FloatVector e = VectorMath.exp(v.sub(max));
      e.intoMemorySegment(ALL, y + whole, ORDER, rest);
      sums = sums.add(e, rest);
    }
    float inverse = 1 / sums.reduceLanes(VectorOperators.ADD);
    for (long i = 0; i < whole; i += BYTES) {
      FloatVector.fromMemorySegment(F, ALL, y + i, ORDER)
          .mul(inverse)
          .intoMemorySegment(ALL, y + i, ORDER);
    }
    if (whole < end) {
      FloatVector.fromMemorySegment(F, ALL, y + whole, ORDER, rest)
          .mul(inverse)
          .intoMemorySegment(ALL, y + whole, ORDER, rest);
    }
  }
}
