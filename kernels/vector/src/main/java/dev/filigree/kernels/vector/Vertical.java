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

  /**
   * Ends rows of a product of integers: scales, bias, and residual if its address is not 0. No
   * operation is fused with the next, as in the graphs whose results this has to give.
   */
  static void dequantize(
      long y,
      int width,
      int from,
      int to,
      float scale,
      float[] scales,
      float[] bias,
      long residual) {
    long row = (long) width * Float.BYTES;
    if (width == 1) {
      for (int o = from; o < to; o++) {
        float value = ALL.get(DType.FLOAT, y + o * row) * (scale * scales[o]);
        value = bias == null ? value : value + bias[o];
        value = residual == 0 ? value : value + ALL.get(DType.FLOAT, residual + o * row);
        ALL.set(DType.FLOAT, y + o * row, value);
      }
      return;
    }
    for (int o = from; o < to; o++) {
      FloatVector factor = FloatVector.broadcast(F, scale * scales[o]);
      FloatVector shift = FloatVector.broadcast(F, bias == null ? 0 : bias[o]);
      long at = o * row;
      for (long t = at; t < at + row; t += BYTES) {
        FloatVector value =
            FloatVector.fromMemorySegment(F, ALL, y + t, ORDER).mul(factor).add(shift);
        if (residual != 0) {
          value = value.add(FloatVector.fromMemorySegment(F, ALL, residual + t, ORDER));
        }
        value.intoMemorySegment(ALL, y + t, ORDER);
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
   * Layer normalisation of a vector of tokens, in the order and with the roundings of ONNX Runtime
   * for the graph written out: eight sums, of every eighth feature each, then the square root and a
   * division. A model with integer layers needs the same bits, since a difference in the last one
   * may carry a value over to the next integer. One method with all its loops: its loops bring it
   * to the compiler after few calls, where one without any would run interpreted, with an object
   * for every vector, for thousands of calls.
   */
  private static void normalise(
      long x, long y, long row, int features, float[] scale, float[] bias, float epsilon) {
    FloatVector count = FloatVector.broadcast(F, features);
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    FloatVector e = a;
    FloatVector g = a;
    FloatVector h = a;
    FloatVector i = a;
    long at = x;
    int f = 0;
    for (; f + 7 < features; f += 8, at += 8 * row) {
      a = FloatVector.fromMemorySegment(F, ALL, at, ORDER).add(a);
      b = FloatVector.fromMemorySegment(F, ALL, at + row, ORDER).add(b);
      c = FloatVector.fromMemorySegment(F, ALL, at + 2 * row, ORDER).add(c);
      d = FloatVector.fromMemorySegment(F, ALL, at + 3 * row, ORDER).add(d);
      e = FloatVector.fromMemorySegment(F, ALL, at + 4 * row, ORDER).add(e);
      g = FloatVector.fromMemorySegment(F, ALL, at + 5 * row, ORDER).add(g);
      h = FloatVector.fromMemorySegment(F, ALL, at + 6 * row, ORDER).add(h);
      i = FloatVector.fromMemorySegment(F, ALL, at + 7 * row, ORDER).add(i);
    }
    a = a.add(e);
    b = b.add(g);
    c = c.add(h);
    d = d.add(i);
    if (f + 3 < features) {
      a = FloatVector.fromMemorySegment(F, ALL, at, ORDER).add(a);
      b = FloatVector.fromMemorySegment(F, ALL, at + row, ORDER).add(b);
      c = FloatVector.fromMemorySegment(F, ALL, at + 2 * row, ORDER).add(c);
      d = FloatVector.fromMemorySegment(F, ALL, at + 3 * row, ORDER).add(d);
      f += 4;
      at += 4 * row;
    }
    a = a.add(c).add(b.add(d));
    for (; f < features; f++, at += row) {
      a = FloatVector.fromMemorySegment(F, ALL, at, ORDER).add(a);
    }
    FloatVector mean = a.div(count);
    a = FloatVector.zero(F);
    b = a;
    c = a;
    d = a;
    e = a;
    g = a;
    h = a;
    i = a;
    at = x;
    f = 0;
    for (; f + 7 < features; f += 8, at += 8 * row) {
      FloatVector v0 = FloatVector.fromMemorySegment(F, ALL, at, ORDER).sub(mean);
      FloatVector v1 = FloatVector.fromMemorySegment(F, ALL, at + row, ORDER).sub(mean);
      FloatVector v2 = FloatVector.fromMemorySegment(F, ALL, at + 2 * row, ORDER).sub(mean);
      FloatVector v3 = FloatVector.fromMemorySegment(F, ALL, at + 3 * row, ORDER).sub(mean);
      FloatVector v4 = FloatVector.fromMemorySegment(F, ALL, at + 4 * row, ORDER).sub(mean);
      FloatVector v5 = FloatVector.fromMemorySegment(F, ALL, at + 5 * row, ORDER).sub(mean);
      FloatVector v6 = FloatVector.fromMemorySegment(F, ALL, at + 6 * row, ORDER).sub(mean);
      FloatVector v7 = FloatVector.fromMemorySegment(F, ALL, at + 7 * row, ORDER).sub(mean);
      a = v0.mul(v0).add(a);
      b = v1.mul(v1).add(b);
      c = v2.mul(v2).add(c);
      d = v3.mul(v3).add(d);
      e = v4.mul(v4).add(e);
      g = v5.mul(v5).add(g);
      h = v6.mul(v6).add(h);
      i = v7.mul(v7).add(i);
    }
    a = a.add(e);
    b = b.add(g);
    c = c.add(h);
    d = d.add(i);
    if (f + 3 < features) {
      FloatVector v0 = FloatVector.fromMemorySegment(F, ALL, at, ORDER).sub(mean);
      FloatVector v1 = FloatVector.fromMemorySegment(F, ALL, at + row, ORDER).sub(mean);
      FloatVector v2 = FloatVector.fromMemorySegment(F, ALL, at + 2 * row, ORDER).sub(mean);
      FloatVector v3 = FloatVector.fromMemorySegment(F, ALL, at + 3 * row, ORDER).sub(mean);
      a = v0.mul(v0).add(a);
      b = v1.mul(v1).add(b);
      c = v2.mul(v2).add(c);
      d = v3.mul(v3).add(d);
      f += 4;
      at += 4 * row;
    }
    a = a.add(c).add(b.add(d));
    for (; f < features; f++, at += row) {
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, at, ORDER).sub(mean);
      a = v.mul(v).add(a);
    }
    FloatVector deviation = a.div(count).add(FloatVector.broadcast(F, epsilon)).sqrt();
    for (f = 0; f < features; f++, x += row, y += row) {
      FloatVector factor = FloatVector.broadcast(F, scale[f]);
      FloatVector shift = FloatVector.broadcast(F, bias == null ? 0 : bias[f]);
      FloatVector.fromMemorySegment(F, ALL, x, ORDER)
          .sub(mean)
          .div(deviation)
          .mul(factor)
          .add(shift)
          .intoMemorySegment(ALL, y, ORDER);
    }
  }
}
