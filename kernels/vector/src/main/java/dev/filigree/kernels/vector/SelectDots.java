package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.I;

import java.util.stream.IntStream;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of two rows of {@link SelectRows} with one token. The places of the kept weights select
 * their inputs from a vector of them, which is one permutation for as many weights as there are
 * lanes; a code selects its centroid in the same way. What is streamed from memory is the kept
 * weights in their encoding and half a byte for the place of each.
 *
 * <p>An index counts modulo the lanes of what it selects from, so that the bits above a place need
 * no mask.
 */
final class SelectDots {
  private static final int CODE = SelectRows.CENTROIDS - 1;

  /** As many bytes as a vector has floats. */
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, COUNT * Byte.SIZE)));

  /** Where in two tables beside each other the table of each lane begins. */
  private static final int[] ROWS =
      IntStream.range(0, COUNT).map(lane -> lane < SelectRows.KEPT ? 0 : COUNT).toArray();

  private SelectDots() {}

  /**
   * Values as they are.
   *
   * @param places words of eight places, from {@code at} on
   * @param values from {@code 8 * at} on
   * @param x inputs from {@code from} on, padded with zeros to whole blocks; receives a sum for
   *     each lane from {@code sums} on
   */
  static void floats(
      int[] places, int at, int blocks, float[] values, float[] x, int from, int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int block = 0; block < blocks; block++) {
      IntVector p = IntVector.fromArray(I, places, at + block * COUNT);
      int w = (at + block * COUNT) * SelectRows.STEPS;
      int in = from + block * SelectRows.BLOCK;
      a =
          FloatVector.fromArray(F, values, w)
              .fma(
                  p.selectFrom(FloatVector.fromArray(F, x, in).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          FloatVector.fromArray(F, values, w + COUNT)
              .fma(
                  p.lanewise(VectorOperators.LSHR, 4)
                      .selectFrom(FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          FloatVector.fromArray(F, values, w + 2 * COUNT)
              .fma(
                  p.lanewise(VectorOperators.LSHR, 8)
                      .selectFrom(FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          FloatVector.fromArray(F, values, w + 3 * COUNT)
              .fma(
                  p.lanewise(VectorOperators.LSHR, 12)
                      .selectFrom(FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
      a =
          FloatVector.fromArray(F, values, w + 4 * COUNT)
              .fma(
                  p.lanewise(VectorOperators.LSHR, 16)
                      .selectFrom(FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          FloatVector.fromArray(F, values, w + 5 * COUNT)
              .fma(
                  p.lanewise(VectorOperators.LSHR, 20)
                      .selectFrom(FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          FloatVector.fromArray(F, values, w + 6 * COUNT)
              .fma(
                  p.lanewise(VectorOperators.LSHR, 24)
                      .selectFrom(FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          FloatVector.fromArray(F, values, w + 7 * COUNT)
              .fma(
                  p.lanewise(VectorOperators.LSHR, 28)
                      .selectFrom(FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(one.fma(a, b), one.fma(c, d)).intoArray(x, sums);
  }

  /** Integers, whose scales are for the sums. See {@link #floats}. */
  static void integers(
      int[] places, int at, int blocks, byte[] values, float[] x, int from, int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int block = 0; block < blocks; block++) {
      IntVector p = IntVector.fromArray(I, places, at + block * COUNT);
      int w = (at + block * COUNT) * SelectRows.STEPS;
      int in = from + block * SelectRows.BLOCK;
      a =
          ((FloatVector) ByteVector.fromArray(B, values, w).convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.selectFrom(FloatVector.fromArray(F, x, in).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.lanewise(VectorOperators.LSHR, 4)
                      .selectFrom(FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 2 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.lanewise(VectorOperators.LSHR, 8)
                      .selectFrom(FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 3 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.lanewise(VectorOperators.LSHR, 12)
                      .selectFrom(FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
      a =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 4 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.lanewise(VectorOperators.LSHR, 16)
                      .selectFrom(FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 5 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.lanewise(VectorOperators.LSHR, 20)
                      .selectFrom(FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 6 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.lanewise(VectorOperators.LSHR, 24)
                      .selectFrom(FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 7 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(
                  p.lanewise(VectorOperators.LSHR, 28)
                      .selectFrom(FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(one.fma(a, b), one.fma(c, d)).intoArray(x, sums);
  }

  /** Codes into the codebook of all rows. See {@link #floats}. */
  static void codes(
      int[] places,
      int[] codes,
      int at,
      int blocks,
      float[] centroids,
      float[] x,
      int from,
      int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    IntVector table = FloatVector.fromArray(F, centroids, 0).reinterpretAsInts();
    for (int block = 0; block < blocks; block++) {
      IntVector p = IntVector.fromArray(I, places, at + block * COUNT);
      IntVector w = IntVector.fromArray(I, codes, at + block * COUNT);
      int in = from + block * SelectRows.BLOCK;
      a =
          w.selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.selectFrom(FloatVector.fromArray(F, x, in).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          w.lanewise(VectorOperators.LSHR, 4)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 4)
                      .selectFrom(FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          w.lanewise(VectorOperators.LSHR, 8)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 8)
                      .selectFrom(FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          w.lanewise(VectorOperators.LSHR, 12)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 12)
                      .selectFrom(FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
      a =
          w.lanewise(VectorOperators.LSHR, 16)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 16)
                      .selectFrom(FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          w.lanewise(VectorOperators.LSHR, 20)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 20)
                      .selectFrom(FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          w.lanewise(VectorOperators.LSHR, 24)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 24)
                      .selectFrom(FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          w.lanewise(VectorOperators.LSHR, 28)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 28)
                      .selectFrom(FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(one.fma(a, b), one.fma(c, d)).intoArray(x, sums);
  }

  /**
   * Codes into a codebook for each row. See {@link #floats}.
   *
   * @param first position of the first row's codebook; the second row's follows
   */
  static void codesOfRows(
      int[] places,
      int[] codes,
      int at,
      int blocks,
      float[] centroids,
      int first,
      float[] x,
      int from,
      int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    IntVector low = FloatVector.fromArray(F, centroids, first).reinterpretAsInts();
    IntVector high = FloatVector.fromArray(F, centroids, first + COUNT).reinterpretAsInts();
    IntVector rows = IntVector.fromArray(I, ROWS, 0);
    for (int block = 0; block < blocks; block++) {
      IntVector p = IntVector.fromArray(I, places, at + block * COUNT);
      IntVector w = IntVector.fromArray(I, codes, at + block * COUNT);
      int in = from + block * SelectRows.BLOCK;
      a =
          w.and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.selectFrom(FloatVector.fromArray(F, x, in).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          w.lanewise(VectorOperators.LSHR, 4)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 4)
                      .selectFrom(FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          w.lanewise(VectorOperators.LSHR, 8)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 8)
                      .selectFrom(FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          w.lanewise(VectorOperators.LSHR, 12)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 12)
                      .selectFrom(FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
      a =
          w.lanewise(VectorOperators.LSHR, 16)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 16)
                      .selectFrom(FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  a);
      b =
          w.lanewise(VectorOperators.LSHR, 20)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 20)
                      .selectFrom(FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  b);
      c =
          w.lanewise(VectorOperators.LSHR, 24)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 24)
                      .selectFrom(FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  c);
      d =
          w.lanewise(VectorOperators.LSHR, 28)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(
                  p.lanewise(VectorOperators.LSHR, 28)
                      .selectFrom(FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts())
                      .reinterpretAsFloats(),
                  d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(one.fma(a, b), one.fma(c, d)).intoArray(x, sums);
  }
}
