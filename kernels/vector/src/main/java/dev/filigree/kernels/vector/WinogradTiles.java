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
 * vectors. A tile has its columns transformed first, then its rows, by the same few vectors: bodies
 * that hold a whole tile are more than the compiler always inlines.
 *
 * <pre>
 *   B^T =  1  0 -1  0      A^T =  1  1  1  0
 *          0  1  1  0             0  1 -1 -1
 *          0 -1  1  0
 *          0  1  0 -1
 * </pre>
 */
final class WinogradTiles {
  /** Rows and columns of a tile. */
  private static final int SIDE = 4;

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
      for (int i = 0; i < SIDE; i++) {
        inputs(x + t + i * step, SIDE * step);
      }
      for (int i = 0; i < SIDE; i++) {
        inputs(x + t + SIDE * i * step, step);
      }
    }
  }

  /** A column or row of a tile of pixels. */
  private static void inputs(long x, long step) {
    FloatVector a = load(x);
    FloatVector b = load(x + step);
    FloatVector c = load(x + 2 * step);
    FloatVector d = load(x + 3 * step);
    store(a.sub(c), x);
    store(b.add(c), x + step);
    store(c.sub(b), x + 2 * step);
    store(b.sub(d), x + 3 * step);
  }

  static void output(long y, long step, int from, int to, int width, float[] bias) {
    long row = (long) width * Float.BYTES;
    for (int o = from; o < to; o++) {
      float added = bias == null ? 0 : bias[o];
      for (long t = y + o * row; t < y + (o + 1) * row; t += BYTES) {
        for (int i = 0; i < SIDE; i++) {
          results(t + i * step, SIDE * step, t + i * step, SIDE * step, 0);
        }
        // the second row of results goes where the first one was read from
        results(t, step, t, step, added);
        results(t + SIDE * step, step, t + 2 * step, step, added);
      }
    }
  }

  /** Two results of a column or row of four products. */
  private static void results(long m, long step, long y, long apart, float bias) {
    FloatVector a = load(m);
    FloatVector b = load(m + step);
    FloatVector c = load(m + 2 * step);
    FloatVector d = load(m + 3 * step);
    FloatVector added = FloatVector.broadcast(F, bias);
    store(a.add(b).add(c.add(added)), y);
    store(b.sub(c).add(added.sub(d)), y + apart);
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
