package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.I;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of one stored row of weights with one token, read from the memory of the file. Eight
 * codes of four bits fill a word, so a vector of words is shifted eight times and each time gives
 * one code a lane; the inputs are put in that order once for all rows:
 *
 * <pre>
 *   words     w0: c0 .. c7   w1: c8 .. c15   ...                  one vector, 8 codes a lane
 *   inputs    x0 x8 x16 ... | x1 x9 x17 ... | ... | x7 x15 x23 ...   eight vectors
 * </pre>
 */
final class StoredDots {
  /** Codes of four bits in a word. */
  static final int PER_WORD = 8;

  /** Codes of four bits in a vector of words. */
  static final int BLOCK = PER_WORD * COUNT;

  private static final int BITS = 4;
  private static final int CODE = (1 << BITS) - 1;

  /** As many bytes as a vector has floats. */
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, COUNT * Byte.SIZE)));

  /** The even places of two vectors, then the odd ones. */
  private static final int[] EVEN =
      IntStream.range(0, 2 * COUNT).map(i -> 2 * i % (2 * COUNT) + i / COUNT).toArray();

  private StoredDots() {}

  /**
   * Puts inputs in the order of a row's codes of four bits; those after the last whole block keep
   * theirs.
   *
   * @param x address of the inputs
   */
  static void arrange(long x, int columns, float[] into) {
    MemorySegment.copy(ALL, DType.FLOAT, x, into, 0, columns);
    IntVector even = IntVector.fromArray(I, EVEN, 0);
    IntVector odd = IntVector.fromArray(I, EVEN, COUNT);
    for (int at = 0; at + BLOCK <= columns; at += BLOCK) {
      // each pass takes the even ones to the front: in three, the place in a word becomes the
      // highest part of the position
      for (int pass = 0; pass < 3; pass++) {
        IntVector a = FloatVector.fromArray(F, into, at).reinterpretAsInts();
        IntVector b = FloatVector.fromArray(F, into, at + COUNT).reinterpretAsInts();
        IntVector c = FloatVector.fromArray(F, into, at + 2 * COUNT).reinterpretAsInts();
        IntVector d = FloatVector.fromArray(F, into, at + 3 * COUNT).reinterpretAsInts();
        IntVector e = FloatVector.fromArray(F, into, at + 4 * COUNT).reinterpretAsInts();
        IntVector f = FloatVector.fromArray(F, into, at + 5 * COUNT).reinterpretAsInts();
        IntVector g = FloatVector.fromArray(F, into, at + 6 * COUNT).reinterpretAsInts();
        IntVector h = FloatVector.fromArray(F, into, at + 7 * COUNT).reinterpretAsInts();
        even.selectFrom(a, b).reinterpretAsFloats().intoArray(into, at);
        even.selectFrom(c, d).reinterpretAsFloats().intoArray(into, at + COUNT);
        even.selectFrom(e, f).reinterpretAsFloats().intoArray(into, at + 2 * COUNT);
        even.selectFrom(g, h).reinterpretAsFloats().intoArray(into, at + 3 * COUNT);
        odd.selectFrom(a, b).reinterpretAsFloats().intoArray(into, at + 4 * COUNT);
        odd.selectFrom(c, d).reinterpretAsFloats().intoArray(into, at + 5 * COUNT);
        odd.selectFrom(e, f).reinterpretAsFloats().intoArray(into, at + 6 * COUNT);
        odd.selectFrom(g, h).reinterpretAsFloats().intoArray(into, at + 7 * COUNT);
      }
    }
  }

  /**
   * Sums over each word's eight inputs, in the order of words, for the zero points.
   *
   * @param x arranged inputs
   * @param sums receives {@code [columns / 8]} from {@code at} on, whole blocks only
   */
  static void wordSums(float[] x, int columns, float[] sums, int at) {
    for (int block = 0; block + BLOCK <= columns; block += BLOCK) {
      FloatVector a = FloatVector.fromArray(F, x, block);
      FloatVector b = FloatVector.fromArray(F, x, block + COUNT);
      a = FloatVector.fromArray(F, x, block + 2 * COUNT).add(a);
      b = FloatVector.fromArray(F, x, block + 3 * COUNT).add(b);
      a = FloatVector.fromArray(F, x, block + 4 * COUNT).add(a);
      b = FloatVector.fromArray(F, x, block + 5 * COUNT).add(b);
      a = FloatVector.fromArray(F, x, block + 6 * COUNT).add(a);
      b = FloatVector.fromArray(F, x, block + 7 * COUNT).add(b);
      a.add(b).intoArray(sums, at + block / PER_WORD);
    }
  }

  /** The sum of consecutive inputs. */
  static float sum(float[] x, int from, int count) {
    int whole = count / COUNT * COUNT;
    FloatVector a = FloatVector.zero(F);
    for (int k = from; k < from + whole; k += COUNT) {
      a = FloatVector.fromArray(F, x, k).add(a);
    }
    float sum = FloatVector.broadcast(F, 1f).mul(a).reduceLanes(VectorOperators.ADD);
    for (int k = from + whole; k < from + count; k++) {
      sum += x[k];
    }
    return sum;
  }

  /** One code of four bits of a row. */
  static int code(long row, int k) {
    return ALL.get(DType.BYTE, row + (k >>> 1)) >>> (k & 1) * BITS & CODE;
  }

  /**
   * The product of the whole blocks of a stretch of a row of scaled integers of four bits.
   *
   * @param row address of the row's codes
   * @param from first input, a whole number of blocks
   * @param to input after the last
   * @param x arranged inputs, then from {@code sums} on the sums of words, and from {@code scales}
   *     and {@code zeros} on the scale and the zero point of each word
   */
  static float integers(long row, int from, int to, float[] x, int sums, int scales, int zeros) {
    FloatVector total = FloatVector.zero(F);
    IntVector mask = IntVector.broadcast(I, CODE);
    for (int at = from; at + BLOCK <= to; at += BLOCK) {
      IntVector w = IntVector.fromMemorySegment(I, ALL, row + at / 2 & ADDRESS, ORDER);
      int word = at / PER_WORD;
      FloatVector a = number(w.and(mask)).mul(FloatVector.fromArray(F, x, at));
      FloatVector b =
          number(w.lanewise(VectorOperators.LSHR, 4).and(mask))
              .mul(FloatVector.fromArray(F, x, at + COUNT));
      a =
          number(w.lanewise(VectorOperators.LSHR, 8).and(mask))
              .fma(FloatVector.fromArray(F, x, at + 2 * COUNT), a);
      b =
          number(w.lanewise(VectorOperators.LSHR, 12).and(mask))
              .fma(FloatVector.fromArray(F, x, at + 3 * COUNT), b);
      a =
          number(w.lanewise(VectorOperators.LSHR, 16).and(mask))
              .fma(FloatVector.fromArray(F, x, at + 4 * COUNT), a);
      b =
          number(w.lanewise(VectorOperators.LSHR, 20).and(mask))
              .fma(FloatVector.fromArray(F, x, at + 5 * COUNT), b);
      a =
          number(w.lanewise(VectorOperators.LSHR, 24).and(mask))
              .fma(FloatVector.fromArray(F, x, at + 6 * COUNT), a);
      b =
          number(w.lanewise(VectorOperators.LSHR, 28))
              .fma(FloatVector.fromArray(F, x, at + 7 * COUNT), b);
      FloatVector zero =
          FloatVector.fromArray(F, x, zeros + word).mul(FloatVector.fromArray(F, x, sums + word));
      total = a.add(b).sub(zero).fma(FloatVector.fromArray(F, x, scales + word), total);
    }
    return FloatVector.broadcast(F, 1f).mul(total).reduceLanes(VectorOperators.ADD);
  }

  private static FloatVector number(IntVector codes) {
    return (FloatVector) codes.convertShape(VectorOperators.I2F, F, 0);
  }

  /**
   * The product of the whole blocks of a stretch of a row of codes of four bits into sixteen
   * centroids, which fill a vector of sixteen lanes: a look-up is a permutation of it.
   *
   * @param from first input, a whole number of blocks
   * @param to input after the last
   * @param book position of the row's codebook
   */
  static float codes(long row, int from, int to, float[] x, float[] centroids, int book) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    IntVector table = FloatVector.fromArray(F, centroids, book).reinterpretAsInts();
    for (int at = from; at + BLOCK <= to; at += BLOCK) {
      // an index counts modulo the lanes, so that the bits above a code need no mask
      IntVector w = IntVector.fromMemorySegment(I, ALL, row + at / 2 & ADDRESS, ORDER);
      a = value(w, table).fma(FloatVector.fromArray(F, x, at), a);
      b =
          value(w.lanewise(VectorOperators.LSHR, 4), table)
              .fma(FloatVector.fromArray(F, x, at + COUNT), b);
      c =
          value(w.lanewise(VectorOperators.LSHR, 8), table)
              .fma(FloatVector.fromArray(F, x, at + 2 * COUNT), c);
      d =
          value(w.lanewise(VectorOperators.LSHR, 12), table)
              .fma(FloatVector.fromArray(F, x, at + 3 * COUNT), d);
      a =
          value(w.lanewise(VectorOperators.LSHR, 16), table)
              .fma(FloatVector.fromArray(F, x, at + 4 * COUNT), a);
      b =
          value(w.lanewise(VectorOperators.LSHR, 20), table)
              .fma(FloatVector.fromArray(F, x, at + 5 * COUNT), b);
      c =
          value(w.lanewise(VectorOperators.LSHR, 24), table)
              .fma(FloatVector.fromArray(F, x, at + 6 * COUNT), c);
      d =
          value(w.lanewise(VectorOperators.LSHR, 28), table)
              .fma(FloatVector.fromArray(F, x, at + 7 * COUNT), d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    return one.fma(one.fma(a, b), one.fma(c, d)).reduceLanes(VectorOperators.ADD);
  }

  /**
   * The products of four rows of codes. See {@link #codes} and {@link #fourRows}.
   *
   * @param book position of the first row's codebook
   * @param step from one row's codebook to the next, or 0
   */
  static void codesOfFourRows(
      long row,
      long rowBytes,
      int from,
      int to,
      float[] x,
      float[] centroids,
      int book,
      int step,
      float[] sums,
      int into) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    IntVector first = FloatVector.fromArray(F, centroids, book).reinterpretAsInts();
    IntVector second = FloatVector.fromArray(F, centroids, book + step).reinterpretAsInts();
    IntVector third = FloatVector.fromArray(F, centroids, book + 2 * step).reinterpretAsInts();
    IntVector fourth = FloatVector.fromArray(F, centroids, book + 3 * step).reinterpretAsInts();
    for (int at = from; at + BLOCK <= to; at += BLOCK) {
      long code = row + at / 2;
      IntVector v = IntVector.fromMemorySegment(I, ALL, code & ADDRESS, ORDER);
      IntVector w = IntVector.fromMemorySegment(I, ALL, code + rowBytes & ADDRESS, ORDER);
      IntVector p = IntVector.fromMemorySegment(I, ALL, code + 2 * rowBytes & ADDRESS, ORDER);
      IntVector q = IntVector.fromMemorySegment(I, ALL, code + 3 * rowBytes & ADDRESS, ORDER);
      FloatVector x0 = FloatVector.fromArray(F, x, at);
      a = v.selectFrom(first).reinterpretAsFloats().fma(x0, a);
      b = w.selectFrom(second).reinterpretAsFloats().fma(x0, b);
      c = p.selectFrom(third).reinterpretAsFloats().fma(x0, c);
      d = q.selectFrom(fourth).reinterpretAsFloats().fma(x0, d);
      FloatVector x1 = FloatVector.fromArray(F, x, at + COUNT);
      a = v.lanewise(VectorOperators.LSHR, 4).selectFrom(first).reinterpretAsFloats().fma(x1, a);
      b = w.lanewise(VectorOperators.LSHR, 4).selectFrom(second).reinterpretAsFloats().fma(x1, b);
      c = p.lanewise(VectorOperators.LSHR, 4).selectFrom(third).reinterpretAsFloats().fma(x1, c);
      d = q.lanewise(VectorOperators.LSHR, 4).selectFrom(fourth).reinterpretAsFloats().fma(x1, d);
      FloatVector x2 = FloatVector.fromArray(F, x, at + 2 * COUNT);
      a = v.lanewise(VectorOperators.LSHR, 8).selectFrom(first).reinterpretAsFloats().fma(x2, a);
      b = w.lanewise(VectorOperators.LSHR, 8).selectFrom(second).reinterpretAsFloats().fma(x2, b);
      c = p.lanewise(VectorOperators.LSHR, 8).selectFrom(third).reinterpretAsFloats().fma(x2, c);
      d = q.lanewise(VectorOperators.LSHR, 8).selectFrom(fourth).reinterpretAsFloats().fma(x2, d);
      FloatVector x3 = FloatVector.fromArray(F, x, at + 3 * COUNT);
      a = v.lanewise(VectorOperators.LSHR, 12).selectFrom(first).reinterpretAsFloats().fma(x3, a);
      b = w.lanewise(VectorOperators.LSHR, 12).selectFrom(second).reinterpretAsFloats().fma(x3, b);
      c = p.lanewise(VectorOperators.LSHR, 12).selectFrom(third).reinterpretAsFloats().fma(x3, c);
      d = q.lanewise(VectorOperators.LSHR, 12).selectFrom(fourth).reinterpretAsFloats().fma(x3, d);
      FloatVector x4 = FloatVector.fromArray(F, x, at + 4 * COUNT);
      a = v.lanewise(VectorOperators.LSHR, 16).selectFrom(first).reinterpretAsFloats().fma(x4, a);
      b = w.lanewise(VectorOperators.LSHR, 16).selectFrom(second).reinterpretAsFloats().fma(x4, b);
      c = p.lanewise(VectorOperators.LSHR, 16).selectFrom(third).reinterpretAsFloats().fma(x4, c);
      d = q.lanewise(VectorOperators.LSHR, 16).selectFrom(fourth).reinterpretAsFloats().fma(x4, d);
      FloatVector x5 = FloatVector.fromArray(F, x, at + 5 * COUNT);
      a = v.lanewise(VectorOperators.LSHR, 20).selectFrom(first).reinterpretAsFloats().fma(x5, a);
      b = w.lanewise(VectorOperators.LSHR, 20).selectFrom(second).reinterpretAsFloats().fma(x5, b);
      c = p.lanewise(VectorOperators.LSHR, 20).selectFrom(third).reinterpretAsFloats().fma(x5, c);
      d = q.lanewise(VectorOperators.LSHR, 20).selectFrom(fourth).reinterpretAsFloats().fma(x5, d);
      FloatVector x6 = FloatVector.fromArray(F, x, at + 6 * COUNT);
      a = v.lanewise(VectorOperators.LSHR, 24).selectFrom(first).reinterpretAsFloats().fma(x6, a);
      b = w.lanewise(VectorOperators.LSHR, 24).selectFrom(second).reinterpretAsFloats().fma(x6, b);
      c = p.lanewise(VectorOperators.LSHR, 24).selectFrom(third).reinterpretAsFloats().fma(x6, c);
      d = q.lanewise(VectorOperators.LSHR, 24).selectFrom(fourth).reinterpretAsFloats().fma(x6, d);
      FloatVector x7 = FloatVector.fromArray(F, x, at + 7 * COUNT);
      a = v.lanewise(VectorOperators.LSHR, 28).selectFrom(first).reinterpretAsFloats().fma(x7, a);
      b = w.lanewise(VectorOperators.LSHR, 28).selectFrom(second).reinterpretAsFloats().fma(x7, b);
      c = p.lanewise(VectorOperators.LSHR, 28).selectFrom(third).reinterpretAsFloats().fma(x7, c);
      d = q.lanewise(VectorOperators.LSHR, 28).selectFrom(fourth).reinterpretAsFloats().fma(x7, d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    sums[into] = one.mul(a).reduceLanes(VectorOperators.ADD);
    sums[into + 1] = one.mul(b).reduceLanes(VectorOperators.ADD);
    sums[into + 2] = one.mul(c).reduceLanes(VectorOperators.ADD);
    sums[into + 3] = one.mul(d).reduceLanes(VectorOperators.ADD);
  }

  private static FloatVector value(IntVector codes, IntVector table) {
    return codes.selectFrom(table).reinterpretAsFloats();
  }

  /**
   * The product of consecutive bytes with inputs in their own order.
   *
   * @param row address of the first byte
   * @param from first input
   */
  static float bytes(long row, int count, boolean signed, float[] x, int from) {
    int whole = COUNT >= 8 ? count / COUNT * COUNT : 0;
    float sum = signed ? signedBytes(row, whole, x, from) : unsignedBytes(row, whole, x, from);
    int mask = signed ? -1 : 0xff;
    for (int k = whole; k < count; k++) {
      sum += (ALL.get(DType.BYTE, row + k) & mask) * x[from + k];
    }
    return sum;
  }

  private static float signedBytes(long row, int count, float[] x, int from) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int k = 0;
    for (; k + 4 * COUNT <= count; k += 4 * COUNT) {
      a =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + k & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(FloatVector.fromArray(F, x, from + k), a);
      b =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + k + COUNT & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(FloatVector.fromArray(F, x, from + k + COUNT), b);
      c =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + k + 2 * COUNT & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(FloatVector.fromArray(F, x, from + k + 2 * COUNT), c);
      d =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + k + 3 * COUNT & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(FloatVector.fromArray(F, x, from + k + 3 * COUNT), d);
    }
    for (; k < count; k += COUNT) {
      a =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + k & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(FloatVector.fromArray(F, x, from + k), a);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    return one.fma(one.fma(a, b), one.fma(c, d)).reduceLanes(VectorOperators.ADD);
  }

  /**
   * The products of four rows of signed bytes with the same inputs: four streams, so that memory
   * works on more of them at once.
   *
   * @param row address of the first row's first byte
   * @param rowBytes from one row to the next
   * @param count whole vectors
   * @param sums receives four sums
   */
  static void fourRows(
      long row, long rowBytes, int count, float[] x, int from, float[] sums, int at) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int k = 0; k < count; k += COUNT) {
      FloatVector in = FloatVector.fromArray(F, x, from + k);
      a =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + k & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(in, a);
      b =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + rowBytes + k & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(in, b);
      c =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + 2 * rowBytes + k & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(in, c);
      d =
          ((FloatVector)
                  ByteVector.fromMemorySegment(B, ALL, row + 3 * rowBytes + k & ADDRESS, ORDER)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(in, d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    sums[at] = one.mul(a).reduceLanes(VectorOperators.ADD);
    sums[at + 1] = one.mul(b).reduceLanes(VectorOperators.ADD);
    sums[at + 2] = one.mul(c).reduceLanes(VectorOperators.ADD);
    sums[at + 3] = one.mul(d).reduceLanes(VectorOperators.ADD);
  }

  private static float unsignedBytes(long row, int count, float[] x, int from) {
    FloatVector a = FloatVector.zero(F);
    for (int k = 0; k < count; k += COUNT) {
      IntVector wide =
          (IntVector)
              ByteVector.fromMemorySegment(B, ALL, row + k & ADDRESS, ORDER)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, I, 0);
      a = number(wide).fma(FloatVector.fromArray(F, x, from + k), a);
    }
    return FloatVector.broadcast(F, 1f).mul(a).reduceLanes(VectorOperators.ADD);
  }
}
