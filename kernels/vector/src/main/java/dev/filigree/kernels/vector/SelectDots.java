package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.I;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of four rows of {@link SelectRows}, two pairs, with one token. The places of the kept
 * weights select their inputs from a vector of them, which is one permutation for as many weights
 * as there are lanes. What is streamed from memory is the kept weights in their encoding and half a
 * byte for the place of each, in two streams, so that memory works on more of them at once.
 *
 * <p>An index counts modulo the lanes of what it selects from, so that the bits above a place need
 * no mask.
 */
final class SelectDots {
  /** As many bytes as a vector has floats. */
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, COUNT * Byte.SIZE)));

  private SelectDots() {}

  /**
   * Values as they are.
   *
   * @param places words of eight places, from {@code at} on
   * @param next from a word of the first pair to that of the second
   * @param values from {@code 8 * at} on
   * @param x inputs from {@code from} on, padded with zeros to whole blocks; receives a sum for
   *     each lane of the first pair and then of the second from {@code sums} on
   */
  static void floats(
      int[] places, int at, int next, int blocks, float[] values, float[] x, int from, int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int block = 0; block < blocks; block++) {
      int first = at + block * COUNT;
      int second = first + next;
      int in = from + block * SelectRows.BLOCK;
      IntVector p = IntVector.fromArray(I, places, first);
      IntVector p2 = IntVector.fromArray(I, places, second);
      int w = first * SelectRows.STEPS;
      int w2 = second * SelectRows.STEPS;
      IntVector x0 = FloatVector.fromArray(F, x, in).reinterpretAsInts();
      a = FloatVector.fromArray(F, values, w).fma(p.selectFrom(x0).reinterpretAsFloats(), a);
      c = FloatVector.fromArray(F, values, w2).fma(p2.selectFrom(x0).reinterpretAsFloats(), c);
      IntVector x1 = FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts();
      b =
          FloatVector.fromArray(F, values, w + COUNT)
              .fma(p.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), b);
      d =
          FloatVector.fromArray(F, values, w2 + COUNT)
              .fma(p2.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), d);
      IntVector x2 = FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts();
      a =
          FloatVector.fromArray(F, values, w + 2 * COUNT)
              .fma(p.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), a);
      c =
          FloatVector.fromArray(F, values, w2 + 2 * COUNT)
              .fma(p2.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), c);
      IntVector x3 = FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts();
      b =
          FloatVector.fromArray(F, values, w + 3 * COUNT)
              .fma(p.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), b);
      d =
          FloatVector.fromArray(F, values, w2 + 3 * COUNT)
              .fma(p2.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), d);
      IntVector x4 = FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts();
      a =
          FloatVector.fromArray(F, values, w + 4 * COUNT)
              .fma(p.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), a);
      c =
          FloatVector.fromArray(F, values, w2 + 4 * COUNT)
              .fma(p2.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), c);
      IntVector x5 = FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts();
      b =
          FloatVector.fromArray(F, values, w + 5 * COUNT)
              .fma(p.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), b);
      d =
          FloatVector.fromArray(F, values, w2 + 5 * COUNT)
              .fma(p2.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), d);
      IntVector x6 = FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts();
      a =
          FloatVector.fromArray(F, values, w + 6 * COUNT)
              .fma(p.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), a);
      c =
          FloatVector.fromArray(F, values, w2 + 6 * COUNT)
              .fma(p2.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), c);
      IntVector x7 = FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts();
      b =
          FloatVector.fromArray(F, values, w + 7 * COUNT)
              .fma(p.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), b);
      d =
          FloatVector.fromArray(F, values, w2 + 7 * COUNT)
              .fma(p2.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(a, b).intoArray(x, sums);
    one.fma(c, d).intoArray(x, sums + COUNT);
  }

  /** Integers, whose scales are for the sums. See {@link #floats}. */
  static void integers(
      int[] places, int at, int next, int blocks, byte[] values, float[] x, int from, int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    for (int block = 0; block < blocks; block++) {
      int first = at + block * COUNT;
      int second = first + next;
      int in = from + block * SelectRows.BLOCK;
      IntVector p = IntVector.fromArray(I, places, first);
      IntVector p2 = IntVector.fromArray(I, places, second);
      int w = first * SelectRows.STEPS;
      int w2 = second * SelectRows.STEPS;
      IntVector x0 = FloatVector.fromArray(F, x, in).reinterpretAsInts();
      a =
          ((FloatVector) ByteVector.fromArray(B, values, w).convertShape(VectorOperators.B2F, F, 0))
              .fma(p.selectFrom(x0).reinterpretAsFloats(), a);
      c =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2).convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.selectFrom(x0).reinterpretAsFloats(), c);
      IntVector x1 = FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts();
      b =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), b);
      d =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2 + COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), d);
      IntVector x2 = FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts();
      a =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 2 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), a);
      c =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2 + 2 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), c);
      IntVector x3 = FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts();
      b =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 3 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), b);
      d =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2 + 3 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), d);
      IntVector x4 = FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts();
      a =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 4 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), a);
      c =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2 + 4 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), c);
      IntVector x5 = FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts();
      b =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 5 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), b);
      d =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2 + 5 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), d);
      IntVector x6 = FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts();
      a =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 6 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), a);
      c =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2 + 6 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), c);
      IntVector x7 = FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts();
      b =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w + 7 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), b);
      d =
          ((FloatVector)
                  ByteVector.fromArray(B, values, w2 + 7 * COUNT)
                      .convertShape(VectorOperators.B2F, F, 0))
              .fma(p2.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(a, b).intoArray(x, sums);
    one.fma(c, d).intoArray(x, sums + COUNT);
  }
}
