package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.spi.LinearKernel;
import jdk.incubator.vector.FloatVector;

/**
 * The inner product of dense layers and of attention: {@code y[c, t] += sum over k of w[k, c] *
 * x[k, t]} for four outputs c and one to four vectors of tokens t. Each x is loaded once and used
 * four times, each weight is broadcast from memory and used once for each vector; the accumulators
 * stay in registers.
 *
 * <pre>
 *              tokens                     w: [k][4] floats, 16 bytes for each k
 *          v0   v1   v2   v3
 *   c0    a00  a01  a02  a03       x: rows of features k, ldx bytes apart
 *   c1    a10  a11  a12  a13       y: rows of outputs c, ldy bytes apart
 *   c2    a20  a21  a22  a23
 *   c3    a30  a31  a32  a33       4 loads + 4 broadcasts for 16 multiply-adds
 * </pre>
 *
 * The bodies call the Vector API directly and nothing else: past a number of nodes C2 stops to
 * inline other methods, and a vector that crosses a call is an object. They must stay below that
 * number; a test counts what they allocate. Addresses in the loops pass through {@link
 * Lanes#ADDRESS}, which makes the bounds checks of the loads vanish.
 */
final class DenseTiles {
  /** Outputs of a tile. */
  static final int OUTPUTS = 4;

  /** Tiles of a block of outputs. */
  static final int PER_BLOCK = LinearKernel.BLOCK / OUTPUTS;

  private DenseTiles() {}

  /**
   * One tile of outputs against all tokens of a panel.
   *
   * @param x address of the first feature's row
   * @param ldx bytes from one feature's row to the next
   * @param tokens a multiple of the lanes
   * @param w weights {@code [k][4]}, from {@code at} on
   * @param k number of features
   * @param y address of the first output's row
   * @param ldy bytes from one output's row to the next
   */
  static void tile(long x, long ldx, int tokens, float[] w, int at, int k, long y, long ldy) {
    long end = (long) tokens * Float.BYTES;
    long t = 0;
    if (Lanes.MANY_REGISTERS) {
      for (; t + 4 * BYTES <= end; t += 4 * BYTES) {
        four(x + t, ldx, w, at, k, y + t, ldy);
      }
    }
    for (; t + 2 * BYTES <= end; t += 2 * BYTES) {
      two(x + t, ldx, w, at, k, y + t, ldy);
    }
    for (; t < end; t += BYTES) {
      one(x + t, ldx, w, at, k, y + t, ldy);
    }
  }

  /**
   * The same, with the products of each sum added up strictly in order of k, whatever the number of
   * tokens: what ONNX Runtime's matrix product of floats does.
   */
  static void tileInOrder(
      long x, long ldx, int tokens, float[] w, int at, int k, long y, long ldy) {
    long whole = (long) tokens * Float.BYTES / (2 * BYTES) * (2 * BYTES);
    tile(x, ldx, (int) (whole / Float.BYTES), w, at, k, y, ldy);
    if (whole < (long) tokens * Float.BYTES) {
      oneInOrder(x + whole, ldx, w, at, k, y + whole, ldy);
    }
  }

  /** A single output against all tokens of a panel, for the rows that fill no tile. */
  static void row(long x, long ldx, int tokens, float[] w, int at, int k, long y) {
    long end = (long) tokens * Float.BYTES;
    for (long t = 0; t < end; t += BYTES) {
      single(x + t, ldx, w, at, k, y + t);
    }
  }

  private static void four(long x, long ldx, float[] w, int at, int k, long y, long ldy) {
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
      long r = x & ADDRESS;
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
      at += OUTPUTS;
      x += ldx;
    }
    long y1 = y + ldy;
    long y2 = y1 + ldy;
    long y3 = y2 + ldy;
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
    FloatVector.fromMemorySegment(F, ALL, y1, ORDER).add(a10).intoMemorySegment(ALL, y1, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y1 + BYTES, ORDER)
        .add(a11)
        .intoMemorySegment(ALL, y1 + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y1 + 2 * BYTES, ORDER)
        .add(a12)
        .intoMemorySegment(ALL, y1 + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y1 + 3 * BYTES, ORDER)
        .add(a13)
        .intoMemorySegment(ALL, y1 + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2, ORDER).add(a20).intoMemorySegment(ALL, y2, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2 + BYTES, ORDER)
        .add(a21)
        .intoMemorySegment(ALL, y2 + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2 + 2 * BYTES, ORDER)
        .add(a22)
        .intoMemorySegment(ALL, y2 + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2 + 3 * BYTES, ORDER)
        .add(a23)
        .intoMemorySegment(ALL, y2 + 3 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3, ORDER).add(a30).intoMemorySegment(ALL, y3, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3 + BYTES, ORDER)
        .add(a31)
        .intoMemorySegment(ALL, y3 + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3 + 2 * BYTES, ORDER)
        .add(a32)
        .intoMemorySegment(ALL, y3 + 2 * BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3 + 3 * BYTES, ORDER)
        .add(a33)
        .intoMemorySegment(ALL, y3 + 3 * BYTES, ORDER);
  }

  private static void two(long x, long ldx, float[] w, int at, int k, long y, long ldy) {
    FloatVector a00 = FloatVector.zero(F);
    FloatVector a01 = a00;
    FloatVector a10 = a00;
    FloatVector a11 = a00;
    FloatVector a20 = a00;
    FloatVector a21 = a00;
    FloatVector a30 = a00;
    FloatVector a31 = a00;
    for (int i = 0; i < k; i++) {
      long r = x & ADDRESS;
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
      at += OUTPUTS;
      x += ldx;
    }
    long y1 = y + ldy;
    long y2 = y1 + ldy;
    long y3 = y2 + ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a00).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(a01)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y1, ORDER).add(a10).intoMemorySegment(ALL, y1, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y1 + BYTES, ORDER)
        .add(a11)
        .intoMemorySegment(ALL, y1 + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2, ORDER).add(a20).intoMemorySegment(ALL, y2, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2 + BYTES, ORDER)
        .add(a21)
        .intoMemorySegment(ALL, y2 + BYTES, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3, ORDER).add(a30).intoMemorySegment(ALL, y3, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3 + BYTES, ORDER)
        .add(a31)
        .intoMemorySegment(ALL, y3 + BYTES, ORDER);
  }

  /**
   * One vector of tokens: even and odd features have accumulators of their own, or four would wait
   * for each other.
   */
  private static void one(long x, long ldx, float[] w, int at, int k, long y, long ldy) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector b0 = a0;
    FloatVector b1 = a0;
    FloatVector b2 = a0;
    FloatVector b3 = a0;
    int i = 0;
    for (; i + 1 < k; i += 2) {
      FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, x & ADDRESS, ORDER);
      FloatVector x1 = FloatVector.fromMemorySegment(F, ALL, x + ldx & ADDRESS, ORDER);
      a0 = FloatVector.broadcast(F, w[at]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[at + 1]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[at + 2]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[at + 3]).fma(x0, a3);
      b0 = FloatVector.broadcast(F, w[at + 4]).fma(x1, b0);
      b1 = FloatVector.broadcast(F, w[at + 5]).fma(x1, b1);
      b2 = FloatVector.broadcast(F, w[at + 6]).fma(x1, b2);
      b3 = FloatVector.broadcast(F, w[at + 7]).fma(x1, b3);
      at += 2 * OUTPUTS;
      x += 2 * ldx;
    }
    if (i < k) {
      FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, x & ADDRESS, ORDER);
      a0 = FloatVector.broadcast(F, w[at]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[at + 1]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[at + 2]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[at + 3]).fma(x0, a3);
    }
    long y1 = y + ldy;
    long y2 = y1 + ldy;
    long y3 = y2 + ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER)
        .add(a0)
        .add(b0)
        .intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y1, ORDER)
        .add(a1)
        .add(b1)
        .intoMemorySegment(ALL, y1, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2, ORDER)
        .add(a2)
        .add(b2)
        .intoMemorySegment(ALL, y2, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3, ORDER)
        .add(a3)
        .add(b3)
        .intoMemorySegment(ALL, y3, ORDER);
  }

  private static void oneInOrder(long x, long ldx, float[] w, int at, int k, long y, long ldy) {
    FloatVector a0 = FloatVector.zero(F);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    for (int i = 0; i < k; i++) {
      FloatVector x0 = FloatVector.fromMemorySegment(F, ALL, x & ADDRESS, ORDER);
      a0 = FloatVector.broadcast(F, w[at]).fma(x0, a0);
      a1 = FloatVector.broadcast(F, w[at + 1]).fma(x0, a1);
      a2 = FloatVector.broadcast(F, w[at + 2]).fma(x0, a2);
      a3 = FloatVector.broadcast(F, w[at + 3]).fma(x0, a3);
      at += OUTPUTS;
      x += ldx;
    }
    long y1 = y + ldy;
    long y2 = y1 + ldy;
    long y3 = y2 + ldy;
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a0).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y1, ORDER).add(a1).intoMemorySegment(ALL, y1, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y2, ORDER).add(a2).intoMemorySegment(ALL, y2, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y3, ORDER).add(a3).intoMemorySegment(ALL, y3, ORDER);
  }

  private static void single(long x, long ldx, float[] w, int at, int k, long y) {
    FloatVector a = FloatVector.zero(F);
    for (int i = 0; i < k; i++) {
      a =
          FloatVector.broadcast(F, w[at + i * OUTPUTS])
              .fma(FloatVector.fromMemorySegment(F, ALL, x & ADDRESS, ORDER), a);
      x += ldx;
    }
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(a).intoMemorySegment(ALL, y, ORDER);
  }
}
