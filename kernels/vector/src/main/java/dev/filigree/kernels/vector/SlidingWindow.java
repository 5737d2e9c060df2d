package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/**
 * A window over rows of a padded plane, and the copies that make such planes. A row is made by
 * whole vectors, the last of which ends with the row and makes some results twice; only rows
 * shorter than a vector are masked. Loads may reach up to a vector beyond a row, stores never do.
 *
 * <pre>
 *   taps of a 3 x 3 window over a plane of pitch p:  0, 1, 2, p, p + 1, p + 2, 2p, 2p + 1, 2p + 2
 * </pre>
 */
final class SlidingWindow {
  /** Every second element of two vectors. */
  private static final VectorShuffle<Float> EVEN =
      VectorShuffle.fromOp(F, i -> 2 * i < COUNT ? 2 * i : 2 * i - 2 * COUNT);

  private SlidingWindow() {}

  static void sum(
      long x,
      int[] taps,
      int pitch,
      float[] weights,
      int at,
      float bias,
      long y,
      int rows,
      int width) {
    long step = (long) pitch * Float.BYTES;
    long row = (long) width * Float.BYTES;
    for (int r = 0; r < rows; r++, x += step, y += row) {
      if (width < COUNT) {
        narrow(x, taps, weights, at, bias, y, width);
        continue;
      }
      long t = 0;
      for (; t + 4 * BYTES <= row; t += 4 * BYTES) {
        four(x + t & ADDRESS, taps, weights, at, bias, y + t & ADDRESS);
      }
      for (; t + BYTES <= row; t += BYTES) {
        one(x + t & ADDRESS, taps, weights, at, bias, y + t & ADDRESS);
      }
      if (t < row) {
        one(x + row - BYTES & ADDRESS, taps, weights, at, bias, y + row - BYTES & ADDRESS);
      }
    }
  }

  private static void four(long x, int[] taps, float[] weights, int at, float bias, long y) {
    FloatVector a = FloatVector.broadcast(F, bias);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int t = 0; t < taps.length; t++) {
      long from = x + (long) taps[t] * Float.BYTES & ADDRESS;
      FloatVector w = FloatVector.broadcast(F, weights[at + t]);
      a = FloatVector.fromMemorySegment(F, ALL, from, ORDER).fma(w, a);
      b = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER).fma(w, b);
      c = FloatVector.fromMemorySegment(F, ALL, from + 2L * BYTES, ORDER).fma(w, c);
      d = FloatVector.fromMemorySegment(F, ALL, from + 3L * BYTES, ORDER).fma(w, d);
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a).intoMemorySegment(ALL, y, ORDER);
    unit.mul(b).intoMemorySegment(ALL, y + BYTES, ORDER);
    unit.mul(c).intoMemorySegment(ALL, y + 2L * BYTES, ORDER);
    unit.mul(d).intoMemorySegment(ALL, y + 3L * BYTES, ORDER);
  }

  private static void one(long x, int[] taps, float[] weights, int at, float bias, long y) {
    FloatVector sum = FloatVector.broadcast(F, bias);
    for (int t = 0; t < taps.length; t++) {
      long from = x + (long) taps[t] * Float.BYTES & ADDRESS;
      sum =
          FloatVector.fromMemorySegment(F, ALL, from, ORDER)
              .fma(FloatVector.broadcast(F, weights[at + t]), sum);
    }
    FloatVector.broadcast(F, 1).mul(sum).intoMemorySegment(ALL, y, ORDER);
  }

  private static void narrow(
      long x, int[] taps, float[] weights, int at, float bias, long y, int width) {
    VectorMask<Float> mask = F.indexInRange(0, width);
    FloatVector sum = FloatVector.broadcast(F, bias);
    for (int t = 0; t < taps.length; t++) {
      long from = x + (long) taps[t] * Float.BYTES & ADDRESS;
      sum =
          FloatVector.fromMemorySegment(F, ALL, from, ORDER)
              .fma(FloatVector.broadcast(F, weights[at + t]), sum);
    }
    FloatVector.broadcast(F, 1).mul(sum).intoMemorySegment(ALL, y & ADDRESS, ORDER, mask);
  }

  static void maximum(long x, int[] taps, int pitch, long y, int rows, int width) {
    long step = (long) pitch * Float.BYTES;
    long row = (long) width * Float.BYTES;
    for (int r = 0; r < rows; r++, x += step, y += row) {
      if (width < COUNT) {
        greatest(x, taps, y, width);
        continue;
      }
      long t = 0;
      for (; t + BYTES <= row; t += BYTES) {
        greatest(x + t, taps, y + t, width);
      }
      if (t < row) {
        greatest(x + row - BYTES, taps, y + row - BYTES, width);
      }
    }
  }

  /** One vector, or as much of it as a narrow row has. */
  private static void greatest(long x, int[] taps, long y, int width) {
    VectorMask<Float> mask = F.indexInRange(0, width);
    FloatVector max = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    for (int t = 0; t < taps.length; t++) {
      long from = x + (long) taps[t] * Float.BYTES & ADDRESS;
      max = FloatVector.fromMemorySegment(F, ALL, from, ORDER).lanewise(VectorOperators.MAX, max);
    }
    FloatVector.broadcast(F, Float.NEGATIVE_INFINITY)
        .lanewise(VectorOperators.MAX, max)
        .intoMemorySegment(ALL, y & ADDRESS, ORDER, mask);
  }

  /** Copies every {@code step}-th element of rows. */
  static void copy(long x, int step, int xPitch, long y, int yPitch, int rows, int width) {
    for (int r = 0; r < rows; r++) {
      int done =
          switch (step) {
            case 1 -> each(x, y, width);
            case 2 -> everySecond(x, y, width);
            default -> 0;
          };
      for (int i = done; i < width; i++) {
        float value = ALL.get(DType.FLOAT, x + (long) i * step * Float.BYTES);
        ALL.set(DType.FLOAT, y + (long) i * Float.BYTES, value);
      }
      x += (long) xPitch * Float.BYTES;
      y += (long) yPitch * Float.BYTES;
    }
  }

  /** Copies what whole vectors hold, the last of which may overlap; the elements copied. */
  private static int each(long x, long y, int width) {
    if (width < COUNT) {
      return 0;
    }
    for (int i = 0; i + COUNT <= width; i += COUNT) {
      vector(x + (long) i * Float.BYTES & ADDRESS, y + (long) i * Float.BYTES & ADDRESS);
    }
    long last = (long) (width - COUNT) * Float.BYTES;
    vector(x + last & ADDRESS, y + last & ADDRESS);
    return width;
  }

  private static void vector(long x, long y) {
    FloatVector.fromMemorySegment(F, ALL, x, ORDER).intoMemorySegment(ALL, y, ORDER);
  }

  /** Packs pairs of vectors whose elements all belong to the row; the elements copied. */
  private static int everySecond(long x, long y, int width) {
    int i = 0;
    // the element after the last of the row must not be read
    for (; i + COUNT < width; i += COUNT) {
      long from = x + 2L * i * Float.BYTES & ADDRESS;
      FloatVector low = FloatVector.fromMemorySegment(F, ALL, from, ORDER);
      FloatVector high = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER);
      low.rearrange(EVEN, high).intoMemorySegment(ALL, y + (long) i * Float.BYTES & ADDRESS, ORDER);
    }
    return i;
  }
}
