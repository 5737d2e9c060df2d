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

  /** Layer normalisation of all tokens of a panel, a vector of tokens at a time. */
  static void layerNormalization(
      long x, long y, int width, int features, float[] scale, float[] bias, float epsilon) {
    long row = (long) width * Float.BYTES;
    for (long t = 0; t < row; t += BYTES) {
      FloatVector mean = mean(x + t, row, features);
      FloatVector variance = variance(x + t, row, features, mean);
      FloatVector sigma = variance.add(FloatVector.broadcast(F, epsilon)).sqrt();
      FloatVector inverse = FloatVector.broadcast(F, 1f).div(sigma);
      normalise(x + t, y + t, row, features, mean, inverse, scale, bias);
    }
  }

  private static FloatVector mean(long x, long row, int features) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int f = 0;
    for (; f + 3 < features; f += 4, x += 4 * row) {
      a = FloatVector.fromMemorySegment(F, ALL, x, ORDER).add(a);
      b = FloatVector.fromMemorySegment(F, ALL, x + row, ORDER).add(b);
      c = FloatVector.fromMemorySegment(F, ALL, x + 2 * row, ORDER).add(c);
      d = FloatVector.fromMemorySegment(F, ALL, x + 3 * row, ORDER).add(d);
    }
    for (; f < features; f++, x += row) {
      a = FloatVector.fromMemorySegment(F, ALL, x, ORDER).add(a);
    }
    return a.add(b).add(c.add(d)).div(FloatVector.broadcast(F, features));
  }

  private static FloatVector variance(long x, long row, int features, FloatVector mean) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    int f = 0;
    for (; f + 1 < features; f += 2, x += 2 * row) {
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, x, ORDER).sub(mean);
      FloatVector e = FloatVector.fromMemorySegment(F, ALL, x + row, ORDER).sub(mean);
      a = d.fma(d, a);
      b = e.fma(e, b);
    }
    if (f < features) {
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, x, ORDER).sub(mean);
      a = d.fma(d, a);
    }
    return a.add(b).div(FloatVector.broadcast(F, features));
  }

  private static void normalise(
      long x,
      long y,
      long row,
      int features,
      FloatVector mean,
      FloatVector inverse,
      float[] scale,
      float[] bias) {
    for (int f = 0; f < features; f++, x += row, y += row) {
      FloatVector factor = inverse.mul(FloatVector.broadcast(F, scale[f]));
      FloatVector shift = FloatVector.broadcast(F, bias == null ? 0 : bias[f]);
      FloatVector.fromMemorySegment(F, ALL, x, ORDER)
          .sub(mean)
          .fma(factor, shift)
          .intoMemorySegment(ALL, y, ORDER);
    }
  }
}
