package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The inner product of sparse layers on a whole panel of eight vectors of tokens where sixteen
 * vector registers hold no tile of two outputs: one output of a pair of {@link RowTiles} after the
 * other. A weight costs nine loads for eight multiply-adds; a row that both keep is loaded twice,
 * but places and weights are read once for the panel and not once for each half. The body follows
 * the rule of {@link DenseTiles}.
 */
final class WideRows {
  /** Vectors of tokens. */
  static final int VECTORS = 8;

  private WideRows() {}

  /**
   * One output against one block of features; the operands are those of {@link RowTiles#pair}.
   *
   * @param output 0 for the pair's first, 1 for its second
   * @param rest rows of this output alone
   * @param y address of the output's row
   */
  static void output(
      long x,
      long ldx,
      float[] w,
      int at,
      byte[] rows,
      int row,
      int both,
      int either,
      int rest,
      int output,
      long y) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector a4 = a0;
    FloatVector a5 = a0;
    FloatVector a6 = a0;
    FloatVector a7 = a0;
    at += output;
    for (int i = 0; i < both; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      a2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), a2);
      a3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), a3);
      a4 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 4 * BYTES, ORDER), a4);
      a5 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 5 * BYTES, ORDER), a5);
      a6 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 6 * BYTES, ORDER), a6);
      a7 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 7 * BYTES, ORDER), a7);
      row++;
      at += 2;
    }
    row += output;
    for (int i = 0; i < either; i++) {
      long r = x + (rows[row] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at]);
      a0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a0);
      a1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), a1);
      a2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), a2);
      a3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), a3);
      a4 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 4 * BYTES, ORDER), a4);
      a5 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 5 * BYTES, ORDER), a5);
      a6 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 6 * BYTES, ORDER), a6);
      a7 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 7 * BYTES, ORDER), a7);
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
      a4 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 4 * BYTES, ORDER), a4);
      a5 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 5 * BYTES, ORDER), a5);
      a6 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 6 * BYTES, ORDER), a6);
      a7 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 7 * BYTES, ORDER), a7);
      row++;
      at++;
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a0).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a1)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * BYTES, ORDER)
        .add(a2)
        .intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * BYTES, ORDER)
        .add(a3)
        .intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 4 * BYTES, ORDER)
        .add(a4)
        .intoMemorySegment(ALL, y + 4 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 5 * BYTES, ORDER)
        .add(a5)
        .intoMemorySegment(ALL, y + 5 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 6 * BYTES, ORDER)
        .add(a6)
        .intoMemorySegment(ALL, y + 6 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 7 * BYTES, ORDER)
        .add(a7)
        .intoMemorySegment(ALL, y + 7 * BYTES, ORDER);
  }
}
