package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import dev.filigree.spi.CellRows;
import jdk.incubator.vector.FloatVector;

/**
 * Products of the states of one to four sequences with a slice of a cell's weights: {@code y[r, j]
 * = sum over k of h[r, k] * w[k, j]}. Vectors run along the sums j, so that a single sequence fills
 * them too; each weight is loaded once for all sequences.
 *
 * <pre>
 *              sums of gates           w: [k][sums], rows a whole number of pairs of vectors
 *          v0   v1   v2   v3
 *   h0    a00  a01  a02  a03           each sum in the order of k, whatever the number of
 *   h1    a10  a11  a12  a13           sequences: no state depends on what runs beside it
 *   h2    a20  a21  a22  a23
 *   h3    a30  a31  a32  a33
 * </pre>
 *
 * The bodies follow the rule of {@link DenseTiles}.
 */
final class CellTiles {
  private CellTiles() {}

  /**
   * The products of a slice.
   *
   * @param base address that the rows count from
   * @param reset whether cells are multiplied and not states
   * @param w address of the weights
   * @param k units of a state
   * @param sums of a row, a multiple of two vectors
   * @param y address of the results {@code [rows][sums]}
   */
  static void multiply(long base, CellRows rows, boolean reset, long w, int k, int sums, long y) {
    long step = (long) sums * Float.BYTES;
    int row = 0;
    if (rows.count() == CellRows.MOST) {
      four(
          at(base, rows, reset, 0),
          at(base, rows, reset, 1),
          at(base, rows, reset, 2),
          at(base, rows, reset, 3),
          w,
          step,
          k,
          y);
      return;
    }
    for (; row + 2 <= rows.count(); row += 2) {
      two(at(base, rows, reset, row), at(base, rows, reset, row + 1), w, step, k, y + row * step);
    }
    if (row < rows.count()) {
      one(at(base, rows, reset, row), w, step, k, y + row * step);
    }
  }

  private static long at(long base, CellRows rows, boolean reset, int row) {
    return base + (reset ? rows.cell(row) : rows.state(row));
  }

  private static void four(long h0, long h1, long h2, long h3, long w, long step, int k, long y) {
    long t = 0;
    if (Lanes.MANY_REGISTERS) {
      for (; t + 4 * BYTES <= step; t += 4 * BYTES) {
        fourByFour(h0, h1, h2, h3, w + t, step, k, y + t, step);
      }
    }
    for (; t < step; t += 2 * BYTES) {
      fourByTwo(h0, h1, h2, h3, w + t, step, k, y + t, step);
    }
  }

  private static void two(long h0, long h1, long w, long step, int k, long y) {
    long t = 0;
    for (; t + 4 * BYTES <= step; t += 4 * BYTES) {
      twoByFour(h0, h1, w + t, step, k, y + t, step);
    }
    for (; t < step; t += 2 * BYTES) {
      twoByTwo(h0, h1, w + t, step, k, y + t, step);
    }
  }

  /** A single sequence has as many sums at a time as hide each other's latency. */
  private static void one(long h0, long w, long step, int k, long y) {
    long t = 0;
    for (; t + 8 * BYTES <= step; t += 8 * BYTES) {
      oneByEight(h0, w + t, step, k, y + t);
    }
    if (t + 6 * BYTES == step) {
      oneBySix(h0, w + t, step, k, y + t);
      return;
    }
    for (; t + 4 * BYTES <= step; t += 4 * BYTES) {
      oneByFour(h0, w + t, step, k, y + t);
    }
    for (; t < step; t += 2 * BYTES) {
      oneByTwo(h0, w + t, step, k, y + t);
    }
  }

  private static void fourByFour(
      long h0, long h1, long h2, long h3, long w, long step, int k, long y, long ldy) {
    FloatVector a00 = FloatVector.zero(F);
    FloatVector a01 = a00;
    FloatVector a02 = a00;
    FloatVector a03 = a00;
    FloatVector a10 = a00;
    FloatVector a11 = a00;
    FloatVector a12 = a00;
    FloatVector a13 = a00;
    FloatVector a20 = a00;
    FloatVector a21 = a00;
    FloatVector a22 = a00;
    FloatVector a23 = a00;
    FloatVector a30 = a00;
    FloatVector a31 = a00;
    FloatVector a32 = a00;
    FloatVector a33 = a00;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      long at = (long) i * Float.BYTES;
      FloatVector w0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER);
      FloatVector w1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER);
      FloatVector w2 = FloatVector.fromMemorySegment(F, ALL, from + 2 * BYTES, ORDER);
      FloatVector w3 = FloatVector.fromMemorySegment(F, ALL, from + 3 * BYTES, ORDER);
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 + at & ADDRESS));
      a00 = w0.fma(h, a00);
      a01 = w1.fma(h, a01);
      a02 = w2.fma(h, a02);
      a03 = w3.fma(h, a03);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h1 + at & ADDRESS));
      a10 = w0.fma(h, a10);
      a11 = w1.fma(h, a11);
      a12 = w2.fma(h, a12);
      a13 = w3.fma(h, a13);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h2 + at & ADDRESS));
      a20 = w0.fma(h, a20);
      a21 = w1.fma(h, a21);
      a22 = w2.fma(h, a22);
      a23 = w3.fma(h, a23);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h3 + at & ADDRESS));
      a30 = w0.fma(h, a30);
      a31 = w1.fma(h, a31);
      a32 = w2.fma(h, a32);
      a33 = w3.fma(h, a33);
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a00).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a01).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(a02).intoMemorySegment(ALL, y + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a03).intoMemorySegment(ALL, y + 3 * BYTES & ADDRESS, ORDER);
    unit.mul(a10).intoMemorySegment(ALL, y + ldy & ADDRESS, ORDER);
    unit.mul(a11).intoMemorySegment(ALL, y + ldy + BYTES & ADDRESS, ORDER);
    unit.mul(a12).intoMemorySegment(ALL, y + ldy + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a13).intoMemorySegment(ALL, y + ldy + 3 * BYTES & ADDRESS, ORDER);
    unit.mul(a20).intoMemorySegment(ALL, y + 2 * ldy & ADDRESS, ORDER);
    unit.mul(a21).intoMemorySegment(ALL, y + 2 * ldy + BYTES & ADDRESS, ORDER);
    unit.mul(a22).intoMemorySegment(ALL, y + 2 * ldy + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a23).intoMemorySegment(ALL, y + 2 * ldy + 3 * BYTES & ADDRESS, ORDER);
    unit.mul(a30).intoMemorySegment(ALL, y + 3 * ldy & ADDRESS, ORDER);
    unit.mul(a31).intoMemorySegment(ALL, y + 3 * ldy + BYTES & ADDRESS, ORDER);
    unit.mul(a32).intoMemorySegment(ALL, y + 3 * ldy + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a33).intoMemorySegment(ALL, y + 3 * ldy + 3 * BYTES & ADDRESS, ORDER);
  }

  private static void fourByTwo(
      long h0, long h1, long h2, long h3, long w, long step, int k, long y, long ldy) {
    FloatVector a00 = FloatVector.zero(F);
    FloatVector a01 = a00;
    FloatVector a10 = a00;
    FloatVector a11 = a00;
    FloatVector a20 = a00;
    FloatVector a21 = a00;
    FloatVector a30 = a00;
    FloatVector a31 = a00;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      long at = (long) i * Float.BYTES;
      FloatVector w0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER);
      FloatVector w1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER);
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 + at & ADDRESS));
      a00 = w0.fma(h, a00);
      a01 = w1.fma(h, a01);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h1 + at & ADDRESS));
      a10 = w0.fma(h, a10);
      a11 = w1.fma(h, a11);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h2 + at & ADDRESS));
      a20 = w0.fma(h, a20);
      a21 = w1.fma(h, a21);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h3 + at & ADDRESS));
      a30 = w0.fma(h, a30);
      a31 = w1.fma(h, a31);
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a00).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a01).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(a10).intoMemorySegment(ALL, y + ldy & ADDRESS, ORDER);
    unit.mul(a11).intoMemorySegment(ALL, y + ldy + BYTES & ADDRESS, ORDER);
    unit.mul(a20).intoMemorySegment(ALL, y + 2 * ldy & ADDRESS, ORDER);
    unit.mul(a21).intoMemorySegment(ALL, y + 2 * ldy + BYTES & ADDRESS, ORDER);
    unit.mul(a30).intoMemorySegment(ALL, y + 3 * ldy & ADDRESS, ORDER);
    unit.mul(a31).intoMemorySegment(ALL, y + 3 * ldy + BYTES & ADDRESS, ORDER);
  }

  private static void twoByFour(long h0, long h1, long w, long step, int k, long y, long ldy) {
    FloatVector a00 = FloatVector.zero(F);
    FloatVector a01 = a00;
    FloatVector a02 = a00;
    FloatVector a03 = a00;
    FloatVector a10 = a00;
    FloatVector a11 = a00;
    FloatVector a12 = a00;
    FloatVector a13 = a00;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      long at = (long) i * Float.BYTES;
      FloatVector w0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER);
      FloatVector w1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER);
      FloatVector w2 = FloatVector.fromMemorySegment(F, ALL, from + 2 * BYTES, ORDER);
      FloatVector w3 = FloatVector.fromMemorySegment(F, ALL, from + 3 * BYTES, ORDER);
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 + at & ADDRESS));
      a00 = w0.fma(h, a00);
      a01 = w1.fma(h, a01);
      a02 = w2.fma(h, a02);
      a03 = w3.fma(h, a03);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h1 + at & ADDRESS));
      a10 = w0.fma(h, a10);
      a11 = w1.fma(h, a11);
      a12 = w2.fma(h, a12);
      a13 = w3.fma(h, a13);
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a00).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a01).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(a02).intoMemorySegment(ALL, y + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a03).intoMemorySegment(ALL, y + 3 * BYTES & ADDRESS, ORDER);
    unit.mul(a10).intoMemorySegment(ALL, y + ldy & ADDRESS, ORDER);
    unit.mul(a11).intoMemorySegment(ALL, y + ldy + BYTES & ADDRESS, ORDER);
    unit.mul(a12).intoMemorySegment(ALL, y + ldy + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a13).intoMemorySegment(ALL, y + ldy + 3 * BYTES & ADDRESS, ORDER);
  }

  private static void twoByTwo(long h0, long h1, long w, long step, int k, long y, long ldy) {
    FloatVector a00 = FloatVector.zero(F);
    FloatVector a01 = a00;
    FloatVector a10 = a00;
    FloatVector a11 = a00;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      long at = (long) i * Float.BYTES;
      FloatVector w0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER);
      FloatVector w1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER);
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 + at & ADDRESS));
      a00 = w0.fma(h, a00);
      a01 = w1.fma(h, a01);
      h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h1 + at & ADDRESS));
      a10 = w0.fma(h, a10);
      a11 = w1.fma(h, a11);
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a00).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a01).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(a10).intoMemorySegment(ALL, y + ldy & ADDRESS, ORDER);
    unit.mul(a11).intoMemorySegment(ALL, y + ldy + BYTES & ADDRESS, ORDER);
  }

  private static void oneByEight(long h0, long w, long step, int k, long y) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector a4 = a0;
    FloatVector a5 = a0;
    FloatVector a6 = a0;
    FloatVector a7 = a0;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 & ADDRESS));
      a0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER).fma(h, a0);
      a1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER).fma(h, a1);
      a2 = FloatVector.fromMemorySegment(F, ALL, from + 2 * BYTES, ORDER).fma(h, a2);
      a3 = FloatVector.fromMemorySegment(F, ALL, from + 3 * BYTES, ORDER).fma(h, a3);
      a4 = FloatVector.fromMemorySegment(F, ALL, from + 4 * BYTES, ORDER).fma(h, a4);
      a5 = FloatVector.fromMemorySegment(F, ALL, from + 5 * BYTES, ORDER).fma(h, a5);
      a6 = FloatVector.fromMemorySegment(F, ALL, from + 6 * BYTES, ORDER).fma(h, a6);
      a7 = FloatVector.fromMemorySegment(F, ALL, from + 7 * BYTES, ORDER).fma(h, a7);
      h0 += Float.BYTES;
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a0).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a1).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(a2).intoMemorySegment(ALL, y + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a3).intoMemorySegment(ALL, y + 3 * BYTES & ADDRESS, ORDER);
    unit.mul(a4).intoMemorySegment(ALL, y + 4 * BYTES & ADDRESS, ORDER);
    unit.mul(a5).intoMemorySegment(ALL, y + 5 * BYTES & ADDRESS, ORDER);
    unit.mul(a6).intoMemorySegment(ALL, y + 6 * BYTES & ADDRESS, ORDER);
    unit.mul(a7).intoMemorySegment(ALL, y + 7 * BYTES & ADDRESS, ORDER);
  }

  private static void oneBySix(long h0, long w, long step, int k, long y) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector a4 = a0;
    FloatVector a5 = a0;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 & ADDRESS));
      a0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER).fma(h, a0);
      a1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER).fma(h, a1);
      a2 = FloatVector.fromMemorySegment(F, ALL, from + 2 * BYTES, ORDER).fma(h, a2);
      a3 = FloatVector.fromMemorySegment(F, ALL, from + 3 * BYTES, ORDER).fma(h, a3);
      a4 = FloatVector.fromMemorySegment(F, ALL, from + 4 * BYTES, ORDER).fma(h, a4);
      a5 = FloatVector.fromMemorySegment(F, ALL, from + 5 * BYTES, ORDER).fma(h, a5);
      h0 += Float.BYTES;
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a0).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a1).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(a2).intoMemorySegment(ALL, y + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a3).intoMemorySegment(ALL, y + 3 * BYTES & ADDRESS, ORDER);
    unit.mul(a4).intoMemorySegment(ALL, y + 4 * BYTES & ADDRESS, ORDER);
    unit.mul(a5).intoMemorySegment(ALL, y + 5 * BYTES & ADDRESS, ORDER);
  }

  private static void oneByFour(long h0, long w, long step, int k, long y) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 & ADDRESS));
      a0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER).fma(h, a0);
      a1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER).fma(h, a1);
      a2 = FloatVector.fromMemorySegment(F, ALL, from + 2 * BYTES, ORDER).fma(h, a2);
      a3 = FloatVector.fromMemorySegment(F, ALL, from + 3 * BYTES, ORDER).fma(h, a3);
      h0 += Float.BYTES;
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a0).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a1).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
    unit.mul(a2).intoMemorySegment(ALL, y + 2 * BYTES & ADDRESS, ORDER);
    unit.mul(a3).intoMemorySegment(ALL, y + 3 * BYTES & ADDRESS, ORDER);
  }

  private static void oneByTwo(long h0, long w, long step, int k, long y) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    for (int i = 0; i < k; i++) {
      long from = w & ADDRESS;
      FloatVector h = FloatVector.broadcast(F, ALL.get(DType.FLOAT, h0 & ADDRESS));
      a0 = FloatVector.fromMemorySegment(F, ALL, from, ORDER).fma(h, a0);
      a1 = FloatVector.fromMemorySegment(F, ALL, from + BYTES, ORDER).fma(h, a1);
      h0 += Float.BYTES;
      w += step;
    }
    FloatVector unit = FloatVector.broadcast(F, 1);
    unit.mul(a0).intoMemorySegment(ALL, y & ADDRESS, ORDER);
    unit.mul(a1).intoMemorySegment(ALL, y + BYTES & ADDRESS, ORDER);
  }
}
