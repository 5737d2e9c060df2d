package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The inner product of sparse layers: two outputs a and b against one to eight vectors of tokens.
 * The index of a weight chooses the row of activations it meets; rows that both outputs keep are
 * loaded once for the two.
 *
 * <pre>
 *   weights   both: a b a b ...    either: a b a b ...    rest: a a ...
 *   rows      both: r r ...        either: ra rb ra rb ...  rest: ra ra ...
 * </pre>
 *
 * With u vectors a row in "both" costs u loads and 2 broadcasts for 2u multiply-adds, a pair in
 * "either" 2u loads and 2 broadcasts for as many. 2:4 keeps the same number of weights in every
 * row, so "rest" is empty there. Processors load one or two vectors a cycle and multiply two, which
 * makes shared rows and wide tiles worth their bookkeeping; the bodies follow the rule of {@link
 * DenseTiles}.
 */
final class RowTiles {
  private RowTiles() {}

  /**
   * One pair of outputs against one block of features.
   *
   * @param x address of the block's first row in the first panel
   * @param second bytes from there to the same row in the second panel, 0 if there is none
   * @param ldx bytes from one feature's row to the next
   * @param tokens of a panel, a multiple of the lanes
   * @param w weights of the pair, from {@code at} on
   * @param rows feature of each row within the block, from {@code row} on
   * @param both rows that a and b share
   * @param either rows of a beside as many of b
   * @param rest rows of a alone
   * @param ya address of a's row in the first panel
   * @param yb address of b's row in the first panel
   * @param secondY bytes from a row of the outputs to the same row in the second panel
   */
  static void pair(
      long x,
      long second,
      long ldx,
      int tokens,
      float[] w,
      int at,
      byte[] rows,
      int row,
      int both,
      int either,
      int rest,
      long ya,
      long yb,
      long secondY) {
    if (second != 0) {
      eight(x, second, ldx, w, at, rows, row, both, either, rest, ya, yb, secondY);
      return;
    }
    long end = (long) tokens * Float.BYTES;
    long t = 0;
    for (; t + 4 * BYTES <= end; t += 4 * BYTES) {
      four(x + t, ldx, w, at, rows, row, both, either, rest, ya + t, yb + t);
    }
    for (; t + 2 * BYTES <= end; t += 2 * BYTES) {
      two(x + t, ldx, w, at, rows, row, both, either, rest, ya + t, yb + t);
    }
    for (; t < end; t += BYTES) {
      one(x + t, ldx, w, at, rows, row, both, either, rest, ya + t, yb + t);
    }
  }

  /** Two panels of four vectors each: the widest tile that fits 32 registers. */
  private static void eight(
      long x,
      long second,
      long ldx,
      float[] w,
      int at,
      byte[] rows,
      int row,
      int both,
      int either,
      int rest,
      long ya,
      long yb,
      long secondY) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector a4 = a0;
    FloatVector a5 = a0;
    FloatVector a6 = a0;
    FloatVector a7 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    FloatVector b4 = a0;
    FloatVector b5 = a0;
    FloatVector b6 = a0;
    FloatVector b7 = a0;
    for (int i = 0; i < both; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      long s = r + second & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      FloatVector q = FloatVector.broadcast(F, w[at + 1]);
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      a0 = p.fma(v, a0);
      b0 = q.fma(v, b0);
      v = FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER);
      a1 = p.fma(v, a1);
      b1 = q.fma(v, b1);
      v = FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER);
      a2 = p.fma(v, a2);
      b2 = q.fma(v, b2);
      v = FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER);
      a3 = p.fma(v, a3);
      b3 = q.fma(v, b3);
      v = FloatVector.fromMemorySegment(F, ALL, s, ORDER);
      a4 = p.fma(v, a4);
      b4 = q.fma(v, b4);
      v = FloatVector.fromMemorySegment(F, ALL, s + BYTES, ORDER);
      a5 = p.fma(v, a5);
      b5 = q.fma(v, b5);
      v = FloatVector.fromMemorySegment(F, ALL, s + 2 * BYTES, ORDER);
      a6 = p.fma(v, a6);
      b6 = q.fma(v, b6);
      v = FloatVector.fromMemorySegment(F, ALL, s + 3 * BYTES, ORDER);
      a7 = p.fma(v, a7);
      b7 = q.fma(v, b7);
      row++;
      at += 2;
    }
    for (int i = 0; i < either; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      long s = r + second & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      a2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), a2);
      a3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), a3);
      a4 = p.fma(FloatVector.fromMemorySegment(F, ALL, s, ORDER), a4);
      a5 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + BYTES, ORDER), a5);
      a6 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + 2 * BYTES, ORDER), a6);
      a7 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + 3 * BYTES, ORDER), a7);
      r = x + (rows[row + 1] & 0xff) * ldx & ADDRESS;
      s = r + second & ADDRESS;
      p = FloatVector.broadcast(F, w[at + 1]);
      b0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), b0);
      b1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), b1);
      b2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), b2);
      b3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), b3);
      b4 = p.fma(FloatVector.fromMemorySegment(F, ALL, s, ORDER), b4);
      b5 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + BYTES, ORDER), b5);
      b6 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + 2 * BYTES, ORDER), b6);
      b7 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + 3 * BYTES, ORDER), b7);
      row += 2;
      at += 2;
    }
    for (int i = 0; i < rest; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      long s = r + second & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      a2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), a2);
      a3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), a3);
      a4 = p.fma(FloatVector.fromMemorySegment(F, ALL, s, ORDER), a4);
      a5 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + BYTES, ORDER), a5);
      a6 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + 2 * BYTES, ORDER), a6);
      a7 = p.fma(FloatVector.fromMemorySegment(F, ALL, s + 3 * BYTES, ORDER), a7);
      row++;
      at++;
    }
    long za = ya + secondY;
    long zb = yb + secondY;
    FloatVector.fromMemorySegment(F, ALL, ya, ORDER).add(a0).intoMemorySegment(ALL, ya, ORDER);
    FloatVector.fromMemorySegment(F, ALL, ya + BYTES, ORDER)
        .add(a1)
        .intoMemorySegment(ALL, ya + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, ya + 2 * BYTES, ORDER)
        .add(a2)
        .intoMemorySegment(ALL, ya + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, ya + 3 * BYTES, ORDER)
        .add(a3)
        .intoMemorySegment(ALL, ya + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, za, ORDER).add(a4).intoMemorySegment(ALL, za, ORDER);
    FloatVector.fromMemorySegment(F, ALL, za + BYTES, ORDER)
        .add(a5)
        .intoMemorySegment(ALL, za + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, za + 2 * BYTES, ORDER)
        .add(a6)
        .intoMemorySegment(ALL, za + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, za + 3 * BYTES, ORDER)
        .add(a7)
        .intoMemorySegment(ALL, za + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb, ORDER).add(b0).intoMemorySegment(ALL, yb, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb + BYTES, ORDER)
        .add(b1)
        .intoMemorySegment(ALL, yb + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb + 2 * BYTES, ORDER)
        .add(b2)
        .intoMemorySegment(ALL, yb + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb + 3 * BYTES, ORDER)
        .add(b3)
        .intoMemorySegment(ALL, yb + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, zb, ORDER).add(b4).intoMemorySegment(ALL, zb, ORDER);
    FloatVector.fromMemorySegment(F, ALL, zb + BYTES, ORDER)
        .add(b5)
        .intoMemorySegment(ALL, zb + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, zb + 2 * BYTES, ORDER)
        .add(b6)
        .intoMemorySegment(ALL, zb + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, zb + 3 * BYTES, ORDER)
        .add(b7)
        .intoMemorySegment(ALL, zb + 3 * BYTES, ORDER);
  }

  /** Four vectors of tokens. */
  private static void four(
      long x,
      long ldx,
      float[] w,
      int at,
      byte[] rows,
      int row,
      int both,
      int either,
      int rest,
      long ya,
      long yb) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    for (int i = 0; i < both; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      FloatVector q = FloatVector.broadcast(F, w[at + 1]);
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      a0 = p.fma(v, a0);
      b0 = q.fma(v, b0);
      v = FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER);
      a1 = p.fma(v, a1);
      b1 = q.fma(v, b1);
      v = FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER);
      a2 = p.fma(v, a2);
      b2 = q.fma(v, b2);
      v = FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER);
      a3 = p.fma(v, a3);
      b3 = q.fma(v, b3);
      row++;
      at += 2;
    }
    for (int i = 0; i < either; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      a2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), a2);
      a3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), a3);
      r = x + (rows[row + 1] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + 1]);
      b0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), b0);
      b1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), b1);
      b2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), b2);
      b3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), b3);
      row += 2;
      at += 2;
    }
    for (int i = 0; i < rest; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      a2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), a2);
      a3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), a3);
      row++;
      at++;
    }
    FloatVector.fromMemorySegment(F, ALL, ya, ORDER).add(a0).intoMemorySegment(ALL, ya, ORDER);
    FloatVector.fromMemorySegment(F, ALL, ya + BYTES, ORDER)
        .add(a1)
        .intoMemorySegment(ALL, ya + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, ya + 2 * BYTES, ORDER)
        .add(a2)
        .intoMemorySegment(ALL, ya + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, ya + 3 * BYTES, ORDER)
        .add(a3)
        .intoMemorySegment(ALL, ya + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb, ORDER).add(b0).intoMemorySegment(ALL, yb, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb + BYTES, ORDER)
        .add(b1)
        .intoMemorySegment(ALL, yb + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb + 2 * BYTES, ORDER)
        .add(b2)
        .intoMemorySegment(ALL, yb + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb + 3 * BYTES, ORDER)
        .add(b3)
        .intoMemorySegment(ALL, yb + 3 * BYTES, ORDER);
  }

  /** Two vectors of tokens. */
  private static void two(
      long x,
      long ldx,
      float[] w,
      int at,
      byte[] rows,
      int row,
      int both,
      int either,
      int rest,
      long ya,
      long yb) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    for (int i = 0; i < both; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      FloatVector q = FloatVector.broadcast(F, w[at + 1]);
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      a0 = p.fma(v, a0);
      b0 = q.fma(v, b0);
      v = FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER);
      a1 = p.fma(v, a1);
      b1 = q.fma(v, b1);
      row++;
      at += 2;
    }
    for (int i = 0; i < either; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      r = x + (rows[row + 1] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + 1]);
      b0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), b0);
      b1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), b1);
      row += 2;
      at += 2;
    }
    for (int i = 0; i < rest; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      row++;
      at++;
    }
    FloatVector.fromMemorySegment(F, ALL, ya, ORDER).add(a0).intoMemorySegment(ALL, ya, ORDER);
    FloatVector.fromMemorySegment(F, ALL, ya + BYTES, ORDER)
        .add(a1)
        .intoMemorySegment(ALL, ya + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb, ORDER).add(b0).intoMemorySegment(ALL, yb, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb + BYTES, ORDER)
        .add(b1)
        .intoMemorySegment(ALL, yb + BYTES, ORDER);
  }

  /** One vector of tokens. */
  private static void one(
      long x,
      long ldx,
      float[] w,
      int at,
      byte[] rows,
      int row,
      int both,
      int either,
      int rest,
      long ya,
      long yb) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector b0 = a0;
    for (int i = 0; i < both; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      FloatVector q = FloatVector.broadcast(F, w[at + 1]);
      FloatVector v = FloatVector.fromMemorySegment(F, ALL, r, ORDER);
      a0 = p.fma(v, a0);
      b0 = q.fma(v, b0);
      row++;
      at += 2;
    }
    for (int i = 0; i < either; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      r = x + (rows[row + 1] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + 1]);
      b0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), b0);
      row += 2;
      at += 2;
    }
    for (int i = 0; i < rest; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      row++;
      at++;
    }
    FloatVector.fromMemorySegment(F, ALL, ya, ORDER).add(a0).intoMemorySegment(ALL, ya, ORDER);
    FloatVector.fromMemorySegment(F, ALL, yb, ORDER).add(b0).intoMemorySegment(ALL, yb, ORDER);
  }
}
