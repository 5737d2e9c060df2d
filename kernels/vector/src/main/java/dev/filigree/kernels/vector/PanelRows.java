package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;

/**
 * Rows of panels made of planes of images, for convolutions and pools. A stretch is copied for all
 * planes before the next one, by whole vectors: what they write too much the next stretch writes
 * again, so that short stretches cost no masks and no scalar ends. What would reach beyond the row,
 * into that of the next plane, is written exactly.
 */
final class PanelRows {
  /** Bytes of a stretch's lane, element and length. */
  private static final int STRETCH = 3 * Integer.BYTES;

  private PanelRows() {}

  static void gather(
      long x, long step, int planes, long stretches, int count, float outside, long y, int width) {
    int row = width * Float.BYTES;
    for (int s = 0; s < count; s++) {
      long stretch = stretches + (long) s * STRETCH;
      int lane = ALL.get(DType.INT, stretch) * Float.BYTES;
      long to = y + lane;
      int element = ALL.get(DType.INT, stretch + Integer.BYTES);
      int bytes = ALL.get(DType.INT, stretch + 2 * Integer.BYTES) * Float.BYTES;
      boolean outer = lane + (bytes + BYTES - 1) / BYTES * BYTES <= row;
      if (element < 0) {
        fill(to, row, planes, bytes, outer, outside);
      } else {
        copy(x + (long) element * Float.BYTES, step, to, row, planes, bytes, outer);
      }
    }
  }

  /**
   * Copies a stretch of each plane.
   *
   * @param outer whether more may be written than the stretch
   */
  private static void copy(
      long from, long step, long to, int row, int planes, int bytes, boolean outer) {
    if (!outer && bytes < BYTES) {
      for (int c = 0; c < planes; c++) {
        for (int i = 0; i < bytes; i += Float.BYTES) {
          float value = ALL.get(DType.FLOAT, from + c * step + i);
          ALL.set(DType.FLOAT, to + (long) c * row + i, value);
        }
      }
      return;
    }
    for (int start = 0; start < bytes; start += 4 * BYTES) {
      int vectors = Math.min(4, (bytes - start + BYTES - 1) / BYTES);
      // the last vector ends with the stretch where nothing beyond may be written
      int last =
          outer
              ? start + (vectors - 1) * BYTES
              : Math.min(start + (vectors - 1) * BYTES, bytes - BYTES);
      switch (vectors) {
        case 1 -> copyOne(from + last, step, to + last, row, planes);
        case 2 -> {
          copyOne(from + start, step, to + start, row, planes);
          copyOne(from + last, step, to + last, row, planes);
        }
        default -> copyFour(from, step, to, row, planes, start, vectors, last);
      }
    }
  }

  private static void copyOne(long from, long step, long to, int row, int planes) {
    long source = from & ADDRESS;
    long target = to & ADDRESS;
    for (int c = 0; c < planes; c++) {
      FloatVector.fromMemorySegment(F, ALL, source, ORDER).intoMemorySegment(ALL, target, ORDER);
      source = source + step & ADDRESS;
      target = target + row & ADDRESS;
    }
  }

  /** Three or four vectors: with three the third is copied twice. */
  private static void copyFour(
      long from, long step, long to, int row, int planes, int start, int vectors, int last) {
    int third = vectors == 4 ? start + 2 * BYTES : last;
    long source = from & ADDRESS;
    long target = to & ADDRESS;
    for (int c = 0; c < planes; c++) {
      FloatVector a = FloatVector.fromMemorySegment(F, ALL, source + start, ORDER);
      FloatVector b = FloatVector.fromMemorySegment(F, ALL, source + start + BYTES, ORDER);
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, source + third, ORDER);
      FloatVector e = FloatVector.fromMemorySegment(F, ALL, source + last, ORDER);
      a.intoMemorySegment(ALL, target + start, ORDER);
      b.intoMemorySegment(ALL, target + start + BYTES, ORDER);
      d.intoMemorySegment(ALL, target + third, ORDER);
      e.intoMemorySegment(ALL, target + last, ORDER);
      source = source + step & ADDRESS;
      target = target + row & ADDRESS;
    }
  }

  private static void fill(long to, int row, int planes, int bytes, boolean outer, float outside) {
    if (!outer && bytes < BYTES) {
      for (int c = 0; c < planes; c++) {
        for (int i = 0; i < bytes; i += Float.BYTES) {
          ALL.set(DType.FLOAT, to + (long) c * row + i, outside);
        }
      }
      return;
    }
    for (int start = 0; start < bytes; start += BYTES) {
      fillOne(to + (outer ? start : Math.min(start, bytes - BYTES)), row, planes, outside);
    }
  }

  private static void fillOne(long to, int row, int planes, float outside) {
    FloatVector value = FloatVector.broadcast(F, outside);
    long target = to & ADDRESS;
    for (int c = 0; c < planes; c++) {
      value.intoMemorySegment(ALL, target, ORDER);
      target = target + row & ADDRESS;
    }
  }

  static void weightedSum(
      long rows, int count, int width, float[] weights, int at, float bias, long y) {
    long row = (long) width * Float.BYTES;
    if (width == 1) {
      float sum = bias;
      for (int r = 0; r < count; r++) {
        sum = Math.fma(weights[at + r], ALL.get(DType.FLOAT, rows + r * row), sum);
      }
      ALL.set(DType.FLOAT, y, sum);
      return;
    }
    for (long t = 0; t < row; t += BYTES) {
      FloatVector sum = FloatVector.broadcast(F, bias);
      for (int r = 0; r < count; r++) {
        sum =
            FloatVector.fromMemorySegment(F, ALL, rows + r * row + t & ADDRESS, ORDER)
                .fma(FloatVector.broadcast(F, weights[at + r]), sum);
      }
      FloatVector.broadcast(F, 1).mul(sum).intoMemorySegment(ALL, y + t, ORDER);
    }
  }
}
