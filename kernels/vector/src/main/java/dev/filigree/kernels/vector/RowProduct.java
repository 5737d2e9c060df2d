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

/**
 * Products of two row-major matrices that are both made while a network runs, vectors along the
 * columns. Nothing is laid out anew, since such matrices are used once.
 *
 * <pre>
 *   a [m][k] broadcasts   x   b [k][n] vectors   ->   y [m][n], tiles of 4 rows and 2 vectors
 * </pre>
 */
final class RowProduct {
  private static final int ROWS = 4;

  private RowProduct() {}

  static void multiply(long a, long b, long y, int m, int n, int k) {
    int j = 0;
    for (; j + 2 * COUNT <= n; j += 2 * COUNT) {
      long at = (long) j * Float.BYTES;
      int i = 0;
      for (; i + ROWS <= m; i += ROWS) {
        wide(a + (long) i * k * Float.BYTES, b + at, y + (long) i * n * Float.BYTES + at, n, k);
      }
      for (; i < m; i++) {
        pair(a + (long) i * k * Float.BYTES, b + at, y + (long) i * n * Float.BYTES + at, n, k);
      }
    }
    for (; j < n; j += COUNT) {
      int used = n - j;
      long at = (long) j * Float.BYTES;
      int i = 0;
      for (; i + ROWS <= m; i += ROWS) {
        long row = (long) i * n * Float.BYTES;
        narrow(a + (long) i * k * Float.BYTES, b + at, y + row + at, n, k, used);
      }
      for (; i < m; i++) {
        long row = (long) i * n * Float.BYTES;
        single(a + (long) i * k * Float.BYTES, b + at, y + row + at, n, k, used);
      }
    }
  }

  private static void wide(long a, long b, long y, int n, int k) {
    FloatVector c00 = FloatVector.zero(F);
    FloatVector c01 = c00;
    FloatVector c10 = c00;
    FloatVector c11 = c00;
    FloatVector c20 = c00;
    FloatVector c21 = c00;
    FloatVector c30 = c00;
    FloatVector c31 = c00;
    long next = (long) k * Float.BYTES;
    long step = (long) n * Float.BYTES;
    for (int p = 0; p < k; p++) {
      long from = b + p * step & ADDRESS;
      long left = a + (long) p * Float.BYTES & ADDRESS;
      FloatVector b0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER);
      FloatVector b1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER);
      FloatVector w = FloatVector.broadcast(F, ALL.get(DType.FLOAT, left));
      c00 = b0.fma(w, c00);
      c01 = b1.fma(w, c01);
      w = FloatVector.broadcast(F, ALL.get(DType.FLOAT, left + next & ADDRESS));
      c10 = b0.fma(w, c10);
      c11 = b1.fma(w, c11);
      w = FloatVector.broadcast(F, ALL.get(DType.FLOAT, left + 2 * next & ADDRESS));
      c20 = b0.fma(w, c20);
      c21 = b1.fma(w, c21);
      w = FloatVector.broadcast(F, ALL.get(DType.FLOAT, left + 3 * next & ADDRESS));
      c30 = b0.fma(w, c30);
      c31 = b1.fma(w, c31);
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(c00).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(c01).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(c10).intoMemorySegment(ALL, y + step & ADDRESS, ORDER);
    unit.mul(c11).intoMemorySegment(ALL, y + step + BYTES & ADDRESS, ORDER);
    unit.mul(c20).intoMemorySegment(ALL, y + 2 * step & ADDRESS, ORDER);
    unit.mul(c21).intoMemorySegment(ALL, y + 2 * step + BYTES & ADDRESS, ORDER);
    unit.mul(c30).intoMemorySegment(ALL, y + 3 * step & ADDRESS, ORDER);
    unit.mul(c31).intoMemorySegment(ALL, y + 3 * step + BYTES & ADDRESS, ORDER);
  }

  private static void pair(long a, long b, long y, int n, int k) {
    FloatVector low = FloatVector.zero(F);
    FloatVector high = low;
    long step = (long) n * Float.BYTES;
    for (int p = 0; p < k; p++) {
      long from = b + p * step & ADDRESS;
      FloatVector w =
          FloatVector.broadcast(F, ALL.get(DType.FLOAT, a + (long) p * Float.BYTES & ADDRESS));
      low = FloatVector.fromMemorySegment(F, ALL, from, ORDER).fma(w, low);
      high = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER).fma(w, high);
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(low).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(high).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
  }

  private static void narrow(long a, long b, long y, int n, int k, int used) {
    VectorMask<Float> mask = F.indexInRange(0, used);
    FloatVector c0 = FloatVector.zero(F);
    FloatVector c1 = c0;
    FloatVector c2 = c0;
    FloatVector c3 = c0;
    long next = (long) k * Float.BYTES;
    long step = (long) n * Float.BYTES;
    for (int p = 0; p < k; p++) {
      long left = a + (long) p * Float.BYTES & ADDRESS;
      FloatVector x = FloatVector.fromMemorySegment(F, ALL, b + p * step & ADDRESS, ORDER, mask);
      c0 = x.fma(FloatVector.broadcast(F, ALL.get(DType.FLOAT, left)), c0);
      c1 = x.fma(FloatVector.broadcast(F, ALL.get(DType.FLOAT, left + next & ADDRESS)), c1);
      c2 = x.fma(FloatVector.broadcast(F, ALL.get(DType.FLOAT, left + 2 * next & ADDRESS)), c2);
      c3 = x.fma(FloatVector.broadcast(F, ALL.get(DType.FLOAT, left + 3 * next & ADDRESS)), c3);
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(c0).intoMemorySegment(ALL, y & ADDRESS, ORDER, mask);
    unit.mul(c1).intoMemorySegment(ALL, y + step & ADDRESS, ORDER, mask);
    unit.mul(c2).intoMemorySegment(ALL, y + 2 * step & ADDRESS, ORDER, mask);
    unit.mul(c3).intoMemorySegment(ALL, y + 3 * step & ADDRESS, ORDER, mask);
  }

  private static void single(long a, long b, long y, int n, int k, int used) {
    VectorMask<Float> mask = F.indexInRange(0, used);
    FloatVector sum = FloatVector.zero(F);
    long step = (long) n * Float.BYTES;
    for (int p = 0; p < k; p++) {
      FloatVector x = FloatVector.fromMemorySegment(F, ALL, b + p * step & ADDRESS, ORDER, mask);
      sum =
          x.fma(
              FloatVector.broadcast(F, ALL.get(DType.FLOAT, a + (long) p * Float.BYTES & ADDRESS)),
              sum);
    }
    FloatVector.broadcast(F, 1).mul(sum).intoMemorySegment(ALL, y & ADDRESS, ORDER, mask);
  }
}
