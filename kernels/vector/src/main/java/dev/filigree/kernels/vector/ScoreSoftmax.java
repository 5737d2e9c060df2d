package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;
import static dev.filigree.kernels.vector.VectorMath.EXP_LEAST;
import static dev.filigree.kernels.vector.VectorMath.LN2_HIGH;
import static dev.filigree.kernels.vector.VectorMath.LN2_LOW;
import static dev.filigree.kernels.vector.VectorMath.LOG2_E;
import static dev.filigree.kernels.vector.VectorMath.ROUND;
import static jdk.incubator.vector.FloatVector.broadcast;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * What becomes of the scores of a head: scale, mask, and softmax over the keys. Scores lie {@code
 * [keys][queries]} with vectors along queries, so that every step goes down the rows and each lane
 * is a query.
 */
final class ScoreSoftmax {
  /**
   * Sums a softmax adds up before it joins them, of every sixteenth key each or every eighth: as
   * many as the vectors of ONNX Runtime's softmax have lanes, which run along the keys. With the
   * same order the result has the same bits, and a model that rounds it to integers gets the same
   * ones.
   */
  private static final int SUMS = Lanes.COUNT >= 16 ? 16 : 8;

  /** Rows of scratch: the sums, and the greatest scores. */
  static final int SCRATCH = SUMS + 1;

  private ScoreSoftmax() {}

  /**
   * Scales scores and adds one number to all of a key.
   *
   * @param row bytes of a row
   * @param added one number for each key, from {@code at} on
   */
  static void scale(long x, long row, int keys, float scale, float divisor, float[] added, int at) {
    FloatVector factor = broadcast(F, scale);
    FloatVector quotient = broadcast(F, divisor);
    for (int j = 0; j < keys; j++) {
      FloatVector shift = broadcast(F, added[at + j]);
      for (long t = x; t < x + row; t += BYTES) {
        // each step is rounded, as written: a mask of the size of the largest float must not absorb
        // the product
        FloatVector.fromMemorySegment(F, ALL, t, ORDER)
            .mul(factor)
            .div(quotient)
            .add(shift)
            .intoMemorySegment(ALL, t, ORDER);
      }
      x += row;
    }
  }

  /** Multiplies scores by a number, which nothing divides, and adds one to all of a key. */
  static void multiply(long x, long row, int keys, float scale, float[] added, int at) {
    FloatVector factor = broadcast(F, scale);
    for (int j = 0; j < keys; j++) {
      FloatVector shift = broadcast(F, added[at + j]);
      for (long t = x; t < x + row; t += BYTES) {
        FloatVector.fromMemorySegment(F, ALL, t, ORDER)
            .mul(factor)
            .add(shift)
            .intoMemorySegment(ALL, t, ORDER);
      }
      x += row;
    }
  }

  /**
   * Adds a mask that differs between queries.
   *
   * @param step bytes from one key's row of the mask to the next
   */
  static void add(long x, long row, int keys, long mask, long step) {
    for (int j = 0; j < keys; j++) {
      for (long t = 0; t < row; t += BYTES) {
        FloatVector.fromMemorySegment(F, ALL, x + t, ORDER)
            .add(FloatVector.fromMemorySegment(F, ALL, mask + t, ORDER))
            .intoMemorySegment(ALL, x + t, ORDER);
      }
      x += row;
      mask += step;
    }
  }

  /**
   * Softmax down the rows.
   *
   * @param scratch {@link #SCRATCH} rows
   * @param guarded whether weights of 0 take the place of NaN
   */
  static void softmax(long x, long row, int keys, long scratch, boolean guarded) {
    long greatest = scratch + SUMS * row;
    for (long t = 0; t < row; t += BYTES) {
      greatest(x + t, row, keys, greatest + t);
    }
    for (long t = 0; t < row; t += BYTES) {
      exponentials(x + t, row, keys, greatest + t, scratch + t);
    }
    for (long t = 0; t < row; t += BYTES) {
      join(scratch + t, row);
      divide(x + t, row, keys, scratch + t);
      if (guarded) {
        clearUndefined(x + t, row, keys, scratch + t);
      }
    }
  }

  /**
   * The greatest score of each query, by four chains. A comparison is a fraction of the work of a
   * maximum that heeds NaN and the sign of 0: neither matters here, since a query with NaN among
   * its scores has a sum of NaN and no other weights.
   */
  private static void greatest(long x, long row, int keys, long to) {
    FloatVector a = broadcast(F, Float.NEGATIVE_INFINITY);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int j = 0;
    for (; j + 4 <= keys; j += 4) {
      FloatVector s = FloatVector.fromMemorySegment(F, ALL, x, ORDER);
      a = s.blend(a, s.compare(VectorOperators.LT, a));
      s = FloatVector.fromMemorySegment(F, ALL, x + row, ORDER);
      b = s.blend(b, s.compare(VectorOperators.LT, b));
      s = FloatVector.fromMemorySegment(F, ALL, x + 2 * row, ORDER);
      c = s.blend(c, s.compare(VectorOperators.LT, c));
      s = FloatVector.fromMemorySegment(F, ALL, x + 3 * row, ORDER);
      d = s.blend(d, s.compare(VectorOperators.LT, d));
      x += 4 * row;
    }
    for (; j < keys; j++, x += row) {
      FloatVector s = FloatVector.fromMemorySegment(F, ALL, x, ORDER);
      a = s.blend(a, s.compare(VectorOperators.LT, a));
    }
    broadcast(F, Float.NEGATIVE_INFINITY)
        .max(a)
        .max(b)
        .max(c)
        .max(d)
        .intoMemorySegment(ALL, to, ORDER);
  }

  /**
   * The exponential function of scores less the greatest, and their sums. It has the bits of {@link
   * VectorMath#exp} for a fraction of its operations: of numbers up to 0 nothing overflows, and
   * what would leave the range of normal floats is replaced. It is written out here, since a call
   * that the compiler does not inline would make objects of its operands.
   */
  private static void exponentials(long x, long row, int keys, long greatest, long sums) {
    FloatVector most = FloatVector.fromMemorySegment(F, ALL, greatest, ORDER);
    for (int i = 0; i < SUMS; i++) {
      FloatVector.zero(F).intoMemorySegment(ALL, sums + i * row, ORDER);
    }
    for (int j = 0; j < keys; j++, x += row) {
      FloatVector d = FloatVector.fromMemorySegment(F, ALL, x, ORDER).sub(most);
      FloatVector shifted = d.fma(broadcast(F, LOG2_E), broadcast(F, ROUND));
      FloatVector n = shifted.sub(ROUND);
      FloatVector r = n.fma(broadcast(F, -LN2_HIGH), d);
      r = n.fma(broadcast(F, -LN2_LOW), r);
      FloatVector p = r.fma(broadcast(F, 0x1.694p-10f), broadcast(F, 0x1.125edcp-7f));
      p = p.fma(r, broadcast(F, 0x1.555b5ap-5f));
      p = p.fma(r, broadcast(F, 0x1.55545p-3f));
      p = p.fma(r, broadcast(F, 0x1.fffff6p-2f));
      p = p.fma(r, broadcast(F, 1f));
      p = p.fma(r, broadcast(F, 1f));
      // 2^n is normal as far down as the result is
      IntVector power =
          shifted
              .reinterpretAsInts()
              .add(127 - Float.floatToRawIntBits(ROUND))
              .lanewise(VectorOperators.LSHL, 23);
      FloatVector e =
          p.mul(power.reinterpretAsFloats()).blend(0, d.compare(VectorOperators.LT, EXP_LEAST));
      e.intoMemorySegment(ALL, x, ORDER);
      long sum = sums + j % SUMS * row;
      FloatVector.fromMemorySegment(F, ALL, sum, ORDER).add(e).intoMemorySegment(ALL, sum, ORDER);
    }
  }

  /** Leaves the sum of all sums in the first: halves, then neighbours, then neighbours of those. */
  private static void join(long sums, long row) {
    for (int half = SUMS / 2, i = 0; SUMS == 16 && i < half; i++) {
      add(sums + i * row, half * row);
    }
    for (int step = 1; step < 8; step *= 2) {
      for (int i = 0; i < 8; i += 2 * step) {
        add(sums + i * row, step * row);
      }
    }
  }

  private static void add(long sum, long other) {
    FloatVector.fromMemorySegment(F, ALL, sum, ORDER)
        .add(FloatVector.fromMemorySegment(F, ALL, sum + other, ORDER))
        .intoMemorySegment(ALL, sum, ORDER);
  }

  private static void divide(long x, long row, int keys, long sum) {
    FloatVector inverse = broadcast(F, 1f).div(FloatVector.fromMemorySegment(F, ALL, sum, ORDER));
    for (int j = 0; j < keys; j++, x += row) {
      FloatVector.fromMemorySegment(F, ALL, x, ORDER).mul(inverse).intoMemorySegment(ALL, x, ORDER);
    }
  }

  private static void clearUndefined(long x, long row, int keys, long sum) {
    VectorMask<Float> undefined =
        FloatVector.fromMemorySegment(F, ALL, sum, ORDER).test(VectorOperators.IS_NAN);
    if (!undefined.anyTrue()) {
      return;
    }
    for (int j = 0; j < keys; j++, x += row) {
      FloatVector.fromMemorySegment(F, ALL, x, ORDER)
          .blend(0, undefined)
          .intoMemorySegment(ALL, x, ORDER);
    }
  }
}
