package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;

/**
 * Transforms of tiles with vectors along tiles: a lane is a tile, so both transforms are sums of
 * vectors. A tile has its columns transformed first, then its rows, all in registers.
 *
 * <pre>
 *   B^T =  1  0 -1  0      A^T =  1  1  1  0
 *          0  1  1  0             0  1 -1 -1
 *          0 -1  1  0
 *          0  1  0 -1
 * </pre>
 */
final class WinogradTiles {
  /** The first half of the elements of two vectors in turn. */
  private static final VectorShuffle<Float> LOW =
      VectorShuffle.fromOp(F, i -> i % 2 == 0 ? i / 2 : i / 2 - COUNT);

  /** The second half of the elements of two vectors in turn. */
  private static final VectorShuffle<Float> HIGH =
      VectorShuffle.fromOp(F, i -> i % 2 == 0 ? (COUNT + i) / 2 : (COUNT + i) / 2 - COUNT);

  private WinogradTiles() {}

  static void input(long x, long step, int channels, int width) {
    long bytes = (long) channels * width * Float.BYTES;
    for (long t = 0; t < bytes; t += BYTES) {
      input(x + t, step);
    }
  }

  private static void input(long x, long step) {
    FloatVector a0 = load(x);
    FloatVector a1 = load(x + 4 * step);
    FloatVector a2 = load(x + 8 * step);
    FloatVector a3 = load(x + 12 * step);
    FloatVector b0 = load(x + step);
    FloatVector b1 = load(x + 5 * step);
    FloatVector b2 = load(x + 9 * step);
    FloatVector b3 = load(x + 13 * step);
    FloatVector c0 = load(x + 2 * step);
    FloatVector c1 = load(x + 6 * step);
    FloatVector c2 = load(x + 10 * step);
    FloatVector c3 = load(x + 14 * step);
    FloatVector d0 = load(x + 3 * step);
    FloatVector d1 = load(x + 7 * step);
    FloatVector d2 = load(x + 11 * step);
    FloatVector d3 = load(x + 15 * step);
    row(x, step, a0.sub(a2), b0.sub(b2), c0.sub(c2), d0.sub(d2));
    row(x + 4 * step, step, a1.add(a2), b1.add(b2), c1.add(c2), d1.add(d2));
    row(x + 8 * step, step, a2.sub(a1), b2.sub(b1), c2.sub(c1), d2.sub(d1));
    row(x + 12 * step, step, a1.sub(a3), b1.sub(b3), c1.sub(c3), d1.sub(d3));
  }

  private static void row(
      long x, long step, FloatVector a, FloatVector b, FloatVector c, FloatVector d) {
    store(a.sub(c), x);
    store(b.add(c), x + step);
    store(c.sub(b), x + 2 * step);
    store(b.sub(d), x + 3 * step);
  }

  static void output(long y, long step, int from, int to, int width, float[] bias) {
    long row = (long) width * Float.BYTES;
    for (int o = from; o < to; o++) {
      float added = bias == null ? 0 : bias[o];
      for (long t = o * row; t < (o + 1) * row; t += BYTES) {
        output(y + t, step, added);
      }
    }
  }

  private static void output(long y, long step, float bias) {
    FloatVector m0 = load(y + 4 * step);
    FloatVector m1 = load(y + 5 * step);
    FloatVector m2 = load(y + 6 * step);
    FloatVector m3 = load(y + 7 * step);
    FloatVector n0 = load(y + 8 * step);
    FloatVector n1 = load(y + 9 * step);
    FloatVector n2 = load(y + 10 * step);
    FloatVector n3 = load(y + 11 * step);
    FloatVector a0 = load(y).add(m0).add(n0);
    FloatVector a1 = load(y + step).add(m1).add(n1);
    FloatVector a2 = load(y + 2 * step).add(m2).add(n2);
    FloatVector a3 = load(y + 3 * step).add(m3).add(n3);
    FloatVector b0 = m0.sub(n0).sub(load(y + 12 * step));
    FloatVector b1 = m1.sub(n1).sub(load(y + 13 * step));
    FloatVector b2 = m2.sub(n2).sub(load(y + 14 * step));
    FloatVector b3 = m3.sub(n3).sub(load(y + 15 * step));
    FloatVector added = FloatVector.broadcast(F, bias);
    store(a0.add(a1).add(a2).add(added), y);
    store(a1.sub(a2).sub(a3).add(added), y + step);
    store(b0.add(b1).add(b2).add(added), y + 2 * step);
    store(b1.sub(b2).sub(b3).add(added), y + 3 * step);
  }

  private static FloatVector load(long address) {
    return FloatVector.fromMemorySegment(F, ALL, address & ADDRESS, ORDER);
  }

  private static void store(FloatVector vector, long address) {
    vector.intoMemorySegment(ALL, address & ADDRESS, ORDER);
  }

  static void interleave(long a, long b, int pitch, long y, int yPitch, int rows, int width) {
    long from = (long) pitch * Float.BYTES;
    long to = (long) yPitch * Float.BYTES;
    for (int i = 0; i < width; i += 2 * COUNT) {
      long tile = (long) i / 2 * Float.BYTES;
      long pixel = y + (long) i * Float.BYTES;
      if (i + 2 * COUNT <= width) {
        for (int r = 0; r < rows; r++) {
          both(a + tile + r * from, b + tile + r * from, pixel + r * to);
        }
      } else if (i + COUNT < width) {
        VectorMask<Float> rest = F.indexInRange(i + COUNT, width);
        for (int r = 0; r < rows; r++) {
          most(a + tile + r * from, b + tile + r * from, pixel + r * to, rest);
        }
      } else {
        VectorMask<Float> rest = F.indexInRange(i, width);
        for (int r = 0; r < rows; r++) {
          few(a + tile + r * from, b + tile + r * from, pixel + r * to, rest);
        }
      }
    }
  }

  private static void both(long a, long b, long y) {
    FloatVector even = load(a);
    FloatVector odd = load(b);
    store(even.rearrange(LOW, odd), y);
    store(even.rearrange(HIGH, odd), y + BYTES);
  }

  /** A vector and a part of the next. */
  private static void most(long a, long b, long y, VectorMask<Float> rest) {
    FloatVector even = load(a);
    FloatVector odd = load(b);
    store(even.rearrange(LOW, odd), y);
    even.rearrange(HIGH, odd).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER, rest);
  }

  /** Not more than a vector. */
  private static void few(long a, long b, long y, VectorMask<Float> rest) {
    load(a).rearrange(LOW, load(b)).intoMemorySegment(ALL, y & ADDRESS, ORDER, rest);
  }
}
