package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The inner product of sparse layers where there are 16 vector registers: one output against one to
 * eight vectors of tokens, always with eight sums, since two units that take four cycles a
 * multiply-add are busy with no fewer. Where a row has fewer vectors, kept weights take turns with
 * the sums.
 *
 * <pre>
 *   eight vectors   w0: s0 .. s7                 9 loads for 8 multiply-adds
 *   four            w0: s0 .. s3  w1: s4 .. s7
 *   two             w0: s0 s1  w1: s2 s3  w2: s4 s5  w3: s6 s7
 *   one             w0: s0  w1: s1  w2: s2  w3: s3
 * </pre>
 *
 * Pairs of outputs as in {@link RowTiles} would load rows that both keep once, but the loop over a
 * pair's common weights and the one after it end somewhere else in every tile, which costs more
 * than the loads. The bodies follow the rule of {@link DenseTiles}.
 */
final class SingleRows {
  private SingleRows() {}

  /**
   * One output against one block of features.
   *
   * @param x address of the block's first row
   * @param ldx bytes from one feature's row to the next
   * @param tokens a multiple of the lanes
   * @param w weights of the output, from {@code at} on
   * @param rows feature of each within the block, from {@code row} on
   * @param count of weights
   * @param y address of the output's row
   */
  static void row(
      long x, long ldx, int tokens, float[] w, int at, byte[] rows, int row, int count, long y) {
    long end = (long) tokens * Float.BYTES;
    long t = 0;
    for (; t + 8 * BYTES <= end; t += 8 * BYTES) {
      eight(x + t, ldx, w, at, rows, row, count, y + t);
    }
    for (; t + 4 * BYTES <= end; t += 4 * BYTES) {
      four(x + t, ldx, w, at, rows, row, count, y + t);
    }
    for (; t + 2 * BYTES <= end; t += 2 * BYTES) {
      two(x + t, ldx, w, at, rows, row, count, y + t);
    }
    for (; t < end; t += BYTES) {
      one(x + t, ldx, w, at, rows, row, count, y + t);
    }
  }

  private static void eight(
      long x, long ldx, float[] w, int at, byte[] rows, int row, int count, long y) {
    FloatVector s0 = FloatVector.zero(F);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    FloatVector s4 = s0;
    FloatVector s5 = s0;
    FloatVector s6 = s0;
    FloatVector s7 = s0;
    for (int i = 0; i < count; i++) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at + i]);
      s0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s0);
      s1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s1);
      s2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), s2);
      s3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), s3);
      s4 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 4 * BYTES, ORDER), s4);
      s5 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 5 * BYTES, ORDER), s5);
      s6 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 6 * BYTES, ORDER), s6);
      s7 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 7 * BYTES, ORDER), s7);
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(s0).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(s1)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * BYTES, ORDER)
        .add(s2)
        .intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * BYTES, ORDER)
        .add(s3)
        .intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 4 * BYTES, ORDER)
        .add(s4)
        .intoMemorySegment(ALL, y + 4 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 5 * BYTES, ORDER)
        .add(s5)
        .intoMemorySegment(ALL, y + 5 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 6 * BYTES, ORDER)
        .add(s6)
        .intoMemorySegment(ALL, y + 6 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 7 * BYTES, ORDER)
        .add(s7)
        .intoMemorySegment(ALL, y + 7 * BYTES, ORDER);
  }

  private static void four(
      long x, long ldx, float[] w, int at, byte[] rows, int row, int count, long y) {
    FloatVector s0 = FloatVector.zero(F);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    FloatVector s4 = s0;
    FloatVector s5 = s0;
    FloatVector s6 = s0;
    FloatVector s7 = s0;
    int i = 0;
    for (; i + 1 < count; i += 2) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at + i]);
      s0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s0);
      s1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s1);
      s2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), s2);
      s3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), s3);
      r = x + (rows[row + i + 1] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + i + 1]);
      s4 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s4);
      s5 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s5);
      s6 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), s6);
      s7 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), s7);
    }
    for (; i < count; i++) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at + i]);
      s0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s0);
      s1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s1);
      s2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 2 * BYTES, ORDER), s2);
      s3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + 3 * BYTES, ORDER), s3);
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER)
        .add(s0.add(s4))
        .intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(s1.add(s5))
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 2 * BYTES, ORDER)
        .add(s2.add(s6))
        .intoMemorySegment(ALL, y + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + 3 * BYTES, ORDER)
        .add(s3.add(s7))
        .intoMemorySegment(ALL, y + 3 * BYTES, ORDER);
  }

  private static void two(
      long x, long ldx, float[] w, int at, byte[] rows, int row, int count, long y) {
    FloatVector s0 = FloatVector.zero(F);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    FloatVector s4 = s0;
    FloatVector s5 = s0;
    FloatVector s6 = s0;
    FloatVector s7 = s0;
    int i = 0;
    for (; i + 3 < count; i += 4) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at + i]);
      s0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s0);
      s1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s1);
      r = x + (rows[row + i + 1] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + i + 1]);
      s2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s2);
      s3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s3);
      r = x + (rows[row + i + 2] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + i + 2]);
      s4 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s4);
      s5 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s5);
      r = x + (rows[row + i + 3] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + i + 3]);
      s6 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s6);
      s7 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s7);
    }
    for (; i < count; i++) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at + i]);
      s0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s0);
      s1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), s1);
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER)
        .add(s0.add(s2).add(s4.add(s6)))
        .intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(s1.add(s3).add(s5.add(s7)))
        .intoMemorySegment(ALL, y + BYTES, ORDER);
  }

  private static void one(
      long x, long ldx, float[] w, int at, byte[] rows, int row, int count, long y) {
    FloatVector s0 = FloatVector.zero(F);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int i = 0;
    for (; i + 3 < count; i += 4) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at + i]);
      s0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s0);
      r = x + (rows[row + i + 1] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + i + 1]);
      s1 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s1);
      r = x + (rows[row + i + 2] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + i + 2]);
      s2 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s2);
      r = x + (rows[row + i + 3] & 0xff) * ldx & ADDRESS;
      p = FloatVector.broadcast(F, w[at + i + 3]);
      s3 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s3);
    }
    for (; i < count; i++) {
      long r = x + (rows[row + i] & 0xff) * ldx & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[at + i]);
      s0 = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), s0);
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER)
        .add(s0.add(s1).add(s2.add(s3)))
        .intoMemorySegment(ALL, y, ORDER);
  }
}
