package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;

/**
 * Kernels over panels with vectors along tokens: what is summed over features is summed in one
 * lane.
 */
final class Vertical {
  private Vertical() {}

  /** Rows of a layer's output: bias, and residual if its address is not 0. */
  static void start(long y, int width, int from, int to, float[] bias, long residual) {
    long row = (long) width * Float.BYTES;
    if (width == 1) {
      for (int o = from; o < to; o++) {
        float value = bias == null ? 0 : bias[o];
        float added = residual == 0 ? 0 : ALL.get(DType.FLOAT, residual + o * row);
        ALL.set(DType.FLOAT, y + o * row, value + added);
      }
      return;
    }
    for (int o = from; o < to; o++) {
      FloatVector value = FloatVector.broadcast(F, bias == null ? 0 : bias[o]);
      long at = o * row;
      for (long t = at; t < at + row; t += BYTES) {
        FloatVector started =
            residual == 0
                ? value
                : value.add(FloatVector.fromMemorySegment(F, ALL, residual + t, ORDER));
        started.intoMemorySegment(ALL, y + t, ORDER);
      }
    }
  }

  /** Layer normalisation of all tokens of a panel. */
  static void layerNormalization(
      long x, long y, int width, int features, float[] scale, float[] bias, float epsilon) {
    long row = (long) width * Float.BYTES;
    for (long t = 0; t < row; t += BYTES) {
      normalise(x + t, y + t, row, features, scale, bias, epsilon);
    }
  }

  /**
   * Layer normalisation of a vector of tokens. One method with all its loops: its loops bring it to
   * the compiler after few calls, where one without any would run interpreted, with an object for
   * every vector, for thousands of calls.
   */
  private static void normalise(
      long x, long y, long row, int features, float[] scale, float[] bias, float epsilon) {
    FloatVector one = FloatVector.broadcast(F, 1f);
    FloatVector count = FloatVector.broadcast(F, features);
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long at = x;
    int f = 0;
    for (; f + 3 < features; f += 4, at += 4 * row) {
      a = FloatVector.fromMemorySegment(F, ALL, at, ORDER).add(a);
      b = FloatVector.fromMemorySegment(F, ALL, at + row, ORDER).add(b);
      c = FloatVector.fromMemorySegment(F, ALL, at + 2 * row, ORDER).add(c);
      d = FloatVector.fromMemorySegment(F, ALL, at + 3 * row, ORDER).add(d);
    }
    for (; f < features; f++, at += row) {
      a = FloatVector.fromMemorySegment(F, ALL, at, ORDER).add(a);
    }
    FloatVector mean = one.fma(one.fma(a, b), one.fma(c, d)).div(count);
    a = FloatVector.zero(F);
    b = a;
    at = x;
    for (f = 0; f + 1 < features; f += 2, at += 2 * row) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at, ORDER).sub(mean);
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, at + row, ORDER).sub(mean);
      a = u.fma(u, a);
      b = v.fma(v, b);
    }
    if (f < features) {
      FloatVector u = FloatVector.fromMemorySegment(F, ALL, at, ORDER).sub(mean);
      a = u.fma(u, a);
    }
    FloatVector variance = one.fma(a, b).div(count);
    FloatVector inverse = one.div(variance.add(FloatVector.broadcast(F, epsilon)).sqrt());
    for (f = 0; f < features; f++, x += row, y += row) {
      FloatVector factor = FloatVector.broadcast(F, scale[f]).mul(inverse);
      FloatVector shift = FloatVector.broadcast(F, bias == null ? 0 : bias[f]);
      FloatVector.fromMemorySegment(F, ALL, x, ORDER)
          .sub(mean)
          .fma(factor, shift)
          .intoMemorySegment(ALL, y, ORDER);
    }
  }
}
