package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The inner product of sparse layers whose neighbouring outputs keep the same features: the dense
 * tile of {@link DenseTiles}, except that an index chooses each row of activations. A row that was
 * loaded serves four outputs, so that a kept weight costs what a dense one does.
 *
 * <pre>
 *   rows  r0 r1 r2 ...             features that all four outputs keep, within a block
 *   w     [kept][4] floats         4 loads + 4 broadcasts for 16 multiply-adds
 * </pre>
 */
final class SharedTiles {
  private SharedTiles() {}

  /**
   * Four outputs against all tokens of a panel.
   *
   * @param x address of the row of the block's first feature
   * @param ldx bytes from one feature's row to the next
   * @param tokens a multiple of the lanes
   * @param w weights {@code [kept][4]}, from {@code at} on
   * @param rows feature of each kept weight within the block, from {@code row} on
   * @param count of kept features
   * @param y address of the first output's row
   * @param ldy bytes from one output's row to the next
   */
  static void tile(
      long x,
      long ldx,
      int tokens,
      float[] w,
      int at,
      byte[] rows,
      int row,
      int count,
      long y,
      long ldy) {
    long end = (long) tokens * Float.BYTES;
    long t = 0;
    if (Lanes.MANY_REGISTERS) {
      for (; t + 4 * BYTES <= end; t += 4 * BYTES) {
        four(x + t, ldx, w, at, rows, row, count, y + t, ldy);
      }
    }
    for (; t + 2 * BYTES <= end; t += 2 * BYTES) {
      two(x + t, ldx, w, at, rows, row, count, y + t, ldy);
    }
    for (; t < end; t += BYTES) {
      one(x + t, ldx, w, at, rows, row, count, y + t, ldy);
    }
  }

  /** Four vectors of tokens. */
  private static void four(
      long x, long ldx, float[] w, int at, byte[] rows, int row, int count, long y, long ldy) {
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
    for (int i = 0; i < count; i++) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      FloatVector x1 = FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER);
      FloatVector x2 = FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER);
      FloatVector x3 = FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER);
      FloatVector b = FloatVector.broadcast(F, w[at]);
      a00 = b.fma(x0, a00);
      a01 = b.fma(x1, a01);
      a02 = b.fma(x2, a02);
      a03 = b.fma(x3, a03);
      b = FloatVector.broadcast(F, w[at + 1]);
      a10 = b.fma(x0, a10);
      a11 = b.fma(x1, a11);
      a12 = b.fma(x2, a12);
      a13 = b.fma(x3, a13);
      b = FloatVector.broadcast(F, w[at + 2]);
      a20 = b.fma(x0, a20);
      a21 = b.fma(x1, a21);
      a22 = b.fma(x2, a22);
      a23 = b.fma(x3, a23);
      b = FloatVector.broadcast(F, w[at + 3]);
      a30 = b.fma(x0, a30);
      a31 = b.fma(x1, a31);
      a32 = b.fma(x2, a32);
      a33 = b.fma(x3, a33);
      at += DenseTiles.OUTPUTS;
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a00).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a01)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * BYTES, ORDER)
        .add(a02)
        .intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * BYTES, ORDER)
        .add(a03)
        .intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
    y += ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a10).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a11)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * BYTES, ORDER)
        .add(a12)
        .intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * BYTES, ORDER)
        .add(a13)
        .intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
    y += ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a20).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a21)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * BYTES, ORDER)
        .add(a22)
        .intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * BYTES, ORDER)
        .add(a23)
        .intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
    y += ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a30).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a31)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * BYTES, ORDER)
        .add(a32)
        .intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * BYTES, ORDER)
        .add(a33)
        .intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
  }

  /** Two vectors of tokens. */
  private static void two(
      long x, long ldx, float[] w, int at, byte[] rows, int row, int count, long y, long ldy) {
    FloatVector a00 = FloatVector.zero(F);
    FloatVector a01 = a00;
    FloatVector a10 = a00;
    FloatVector a11 = a00;
    FloatVector a20 = a00;
    FloatVector a21 = a00;
    FloatVector a30 = a00;
    FloatVector a31 = a00;
    for (int i = 0; i < count; i++) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      FloatVector x1 = FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER);
      FloatVector b = FloatVector.broadcast(F, w[at]);
      a00 = b.fma(x0, a00);
      a01 = b.fma(x1, a01);
      b = FloatVector.broadcast(F, w[at + 1]);
      a10 = b.fma(x0, a10);
      a11 = b.fma(x1, a11);
      b = FloatVector.broadcast(F, w[at + 2]);
      a20 = b.fma(x0, a20);
      a21 = b.fma(x1, a21);
      b = FloatVector.broadcast(F, w[at + 3]);
      a30 = b.fma(x0, a30);
      a31 = b.fma(x1, a31);
      at += DenseTiles.OUTPUTS;
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a00).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a01)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    y += ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a10).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a11)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    y += ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a20).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a21)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    y += ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a30).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a31)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
  }

  /**
   * One vector of tokens: even and odd weights have accumulators of their own, or four would wait
   * for each other.
   */
  private static void one(
      long x, long ldx, float[] w, int at, byte[] rows, int row, int count, long y, long ldy) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    int i = 0;
    for (; i + 1 < count; i += 2) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      long s = x + (rows[row + i + 1] & 0xff) * ldx & ADDRESS;
      FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      FloatVector x1 = FloatVector.fromMemorySegment(F, ALL, s, ORDER);
      a0 = FloatVector.broadcast(F, w[at]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[at + 1]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[at + 2]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[at + 3]).fma(x0, a3);
      b0 = FloatVector.broadcast(F, w[at + 4]).fma(x1, b0);
      b1 = FloatVector.broadcast(F, w[at + 5]).fma(x1, b1);
      b2 = FloatVector.broadcast(F, w[at + 6]).fma(x1, b2);
      b3 = FloatVector.broadcast(F, w[at + 7]).fma(x1, b3);
      at += 2 * DenseTiles.OUTPUTS;
    }
    if (i < count) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      a0 = FloatVector.broadcast(F, w[at]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[at + 1]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[at + 2]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[at + 3]).fma(x0, a3);
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER)
        .add(a0)
        .add(b0)
        .intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + ldy, ORDER)
        .add(a1)
        .add(b1)
        .intoMemorySegment(ALL, y + ldy, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * ldy, ORDER)
        .add(a2)
        .add(b2)
        .intoMemorySegment(ALL, y + 2 * ldy, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * ldy, ORDER)
        .add(a3)
        .add(b3)
        .intoMemorySegment(ALL, y + 3 * ldy, ORDER);
  }
}
