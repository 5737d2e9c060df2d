package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.I;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of rows of four-bit codes where a vector has eight lanes: sixteen centroids fill two.
 * The low three bits of a code select from the first; what is different in the second is selected
 * by them too, and the fourth bit, spread over the lane, says whether it counts:
 *
 * <pre>
 *   centroid = first[low bits] ^ ((first ^ second)[low bits] &amp; fourth bit)
 * </pre>
 *
 * Codes and inputs lie as in {@link StoredDots}.
 */
final class TwoTables {
  private TwoTables() {}

  /**
   * The product of the whole blocks of a stretch of a row.
   *
   * @param row address of the row's codes
   * @param from first input, a whole number of blocks
   * @param to input after the last
   * @param x arranged inputs
   * @param book position of the row's codebook
   */
  static float codes(long row, int from, int to, float[] x, float[] centroids, int book) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    IntVector first = FloatVector.fromArray(F, centroids, book).reinterpretAsInts();
    IntVector other =
        FloatVector.fromArray(F, centroids, book + COUNT)
            .reinterpretAsInts()
            .lanewise(VectorOperators.XOR, first);
    for (int at = from; at + StoredDots.BLOCK <= to; at += StoredDots.BLOCK) {
      IntVector w = IntVector.fromMemorySegment(I, ALL, row + at / 2 & ADDRESS, ORDER);
      IntVector code = w;
      IntVector fourth = w.lanewise(VectorOperators.LSHL, 28).lanewise(VectorOperators.ASHR, 31);
      a =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at), a);
      code = w.lanewise(VectorOperators.LSHR, 4);
      fourth = w.lanewise(VectorOperators.LSHL, 24).lanewise(VectorOperators.ASHR, 31);
      b =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at + COUNT), b);
      code = w.lanewise(VectorOperators.LSHR, 8);
      fourth = w.lanewise(VectorOperators.LSHL, 20).lanewise(VectorOperators.ASHR, 31);
      c =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at + 2 * COUNT), c);
      code = w.lanewise(VectorOperators.LSHR, 12);
      fourth = w.lanewise(VectorOperators.LSHL, 16).lanewise(VectorOperators.ASHR, 31);
      d =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at + 3 * COUNT), d);
      code = w.lanewise(VectorOperators.LSHR, 16);
      fourth = w.lanewise(VectorOperators.LSHL, 12).lanewise(VectorOperators.ASHR, 31);
      a =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at + 4 * COUNT), a);
      code = w.lanewise(VectorOperators.LSHR, 20);
      fourth = w.lanewise(VectorOperators.LSHL, 8).lanewise(VectorOperators.ASHR, 31);
      b =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at + 5 * COUNT), b);
      code = w.lanewise(VectorOperators.LSHR, 24);
      fourth = w.lanewise(VectorOperators.LSHL, 4).lanewise(VectorOperators.ASHR, 31);
      c =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at + 6 * COUNT), c);
      code = w.lanewise(VectorOperators.LSHR, 28);
      fourth = w.lanewise(VectorOperators.ASHR, 31);
      d =
          code.selectFrom(first)
              .lanewise(VectorOperators.XOR, code.selectFrom(other).and(fourth))
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(F, x, at + 7 * COUNT), d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    return one.fma(one.fma(a, b), one.fma(c, d)).reduceLanes(VectorOperators.ADD);
  }
}
