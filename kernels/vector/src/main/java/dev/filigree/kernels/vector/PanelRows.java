package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rows of panels made of planes of images, for convolutions and pools. A stretch is copied by whole
 * vectors: what they write too much the next stretch writes again, so that a row of short stretches
 * costs no masks and no scalar ends.
 */
final class PanelRows {
  /** Bytes of a stretch's lane, element and length. */
  private static final int STRETCH = 3 * Integer.BYTES;

  private PanelRows() {}

  static void gather(
      long x, long step, int planes, long stretches, int count, float outside, long y, int width) {
    FloatVector filling = FloatVector.broadcast(F, outside);
    for (int c = 0; c < planes; c++) {
      long plane = x + c * step & ADDRESS;
      long row = y + (long) c * width * Float.BYTES & ADDRESS;
      for (long s = stretches; s < stretches + (long) count * STRETCH; s += STRETCH) {
        long to = row + (long) ALL.get(DType.INT, s) * Float.BYTES;
        int element = ALL.get(DType.INT, s + Integer.BYTES);
        long bytes = (long) ALL.get(DType.INT, s + 2 * Integer.BYTES) * Float.BYTES;
        if (element < 0) {
          for (long i = 0; i < bytes; i += BYTES) {
            filling.intoMemorySegment(ALL, to + i, ORDER);
          }
        } else {
          long from = plane + (long) element * Float.BYTES;
          for (long i = 0; i < bytes; i += BYTES) {
            FloatVector.fromMemorySegment(F, ALL, from + i, ORDER)
                .intoMemorySegment(ALL, to + i, ORDER);
          }
        }
      }
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

  static void maximum(long rows, int count, int width, long y) {
    long row = (long) width * Float.BYTES;
    if (width == 1) {
      float max = Float.NEGATIVE_INFINITY;
      for (int r = 0; r < count; r++) {
        max = Math.max(max, ALL.get(DType.FLOAT, rows + r * row));
      }
      ALL.set(DType.FLOAT, y, max);
      return;
    }
    for (long t = 0; t < row; t += BYTES) {
      FloatVector max = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
      for (int r = 0; r < count; r++) {
        max =
            FloatVector.fromMemorySegment(F, ALL, rows + r * row + t & ADDRESS, ORDER)
                .lanewise(VectorOperators.MAX, max);
      }
      FloatVector.broadcast(F, Float.NEGATIVE_INFINITY)
          .lanewise(VectorOperators.MAX, max)
          .intoMemorySegment(ALL, y + t, ORDER);
    }
  }
}
