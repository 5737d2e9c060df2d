package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;

/**
 * The inner product of one sparse output with one or two vectors of tokens. A multiply-add waits
 * for the one before it in the same sum, so weights that follow each other go to sums of their own:
 *
 * <pre>
 *   weights        w0 w1 w2 w3 w4 w5 w6 w7 | w8 ..
 *   one vector     a  b  c  d  e  f  g  h    a
 *   two vectors    ab cd ef gh ab ..
 * </pre>
 *
 * The bodies follow the rule of {@link DenseTiles}.
 */
final class FewTokensTiles {
  private FewTokensTiles() {}

  /**
   * Adds the product with one vector of tokens, which is all that rows have.
   *
   * @param x address of the first row that the places count from
   * @param w weights, from {@code at} on
   * @param places bytes from the first row to that of each weight
   * @param count of weights
   * @param y address of the output's row
   */
  static void one(long x, float[] w, int at, char[] places, int count, long y) {
    // a place has sixteen bits, so that no sum of the two is out of bounds for the compiler
    long first = x & ADDRESS;
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    FloatVector e = a;
    FloatVector f = a;
    FloatVector g = a;
    FloatVector h = a;
    int end = at + count;
    int i = at;
    for (; i < end - 7; i += 8) {
      a =
          FloatVector.broadcast(F, w[i])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i], ORDER), a);
      b =
          FloatVector.broadcast(F, w[i + 1])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i + 1], ORDER), b);
      c =
          FloatVector.broadcast(F, w[i + 2])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i + 2], ORDER), c);
      d =
          FloatVector.broadcast(F, w[i + 3])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i + 3], ORDER), d);
      e =
          FloatVector.broadcast(F, w[i + 4])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i + 4], ORDER), e);
      f =
          FloatVector.broadcast(F, w[i + 5])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i + 5], ORDER), f);
      g =
          FloatVector.broadcast(F, w[i + 6])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i + 6], ORDER), g);
      h =
          FloatVector.broadcast(F, w[i + 7])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i + 7], ORDER), h);
    }
    for (; i < end; i++) {
      a =
          FloatVector.broadcast(F, w[i])
              .fma(FloatVector.fromMemorySegment(F, ALL, first + places[i], ORDER), a);
    }
    FloatVector unit = FloatVector.broadcast(F, 1f);
    FloatVector ad = unit.fma(unit.fma(a, b), unit.fma(c, d));
    FloatVector eh = unit.fma(unit.fma(e, f), unit.fma(g, h));
    FloatVector.fromMemorySegment(F, ALL, y, ORDER)
        .add(unit.fma(ad, eh))
        .intoMemorySegment(ALL, y, ORDER);
  }

  /**
   * The same with two vectors that follow each other.
   *
   * @param shift binary logarithm of the vectors of a row
   */
  static void two(long x, int shift, float[] w, int at, char[] places, int count, long y) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    FloatVector e = a;
    FloatVector f = a;
    FloatVector g = a;
    FloatVector h = a;
    int end = at + count;
    int i = at;
    for (; i < end - 3; i += 4) {
      long r = x + ((long) places[i] << shift) & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[i]);
      a = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a);
      b = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), b);
      r = x + ((long) places[i + 1] << shift) & ADDRESS;
      p = FloatVector.broadcast(F, w[i + 1]);
      c = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), c);
      d = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), d);
      r = x + ((long) places[i + 2] << shift) & ADDRESS;
      p = FloatVector.broadcast(F, w[i + 2]);
      e = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), e);
      f = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), f);
      r = x + ((long) places[i + 3] << shift) & ADDRESS;
      p = FloatVector.broadcast(F, w[i + 3]);
      g = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), g);
      h = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), h);
    }
    for (; i < end; i++) {
      long r = x + ((long) places[i] << shift) & ADDRESS;
      FloatVector p = FloatVector.broadcast(F, w[i]);
      a = p.fma(FloatVector.fromMemorySegment(F, ALL, r, ORDER), a);
      b = p.fma(FloatVector.fromMemorySegment(F, ALL, r + BYTES, ORDER), b);
    }
    FloatVector unit = FloatVector.broadcast(F, 1f);
    FloatVector ag = unit.fma(unit.fma(a, c), unit.fma(e, g));
    FloatVector bh = unit.fma(unit.fma(b, d), unit.fma(f, h));
    FloatVector.fromMemorySegment(F, ALL, y, ORDER).add(ag).intoMemorySegment(ALL, y, ORDER);
    FloatVector.fromMemorySegment(F, ALL, y + BYTES, ORDER)
        .add(bh)
        .intoMemorySegment(ALL, y + BYTES, ORDER);
  }
}
