package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.I;

import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of four rows of {@link SelectRows} with one token, as those of {@link SelectDots}, where
 * a code selects its centroid in the same way as a place its input.
 */
final class SelectCodes {
  private static final int CODE = SelectRows.CENTROIDS - 1;

  /** Where in two tables beside each other the table of each lane begins. */
  private static final int[] ROWS =
      IntStream.range(0, COUNT).map(lane -> lane < SelectRows.KEPT ? 0 : COUNT).toArray();

  private SelectCodes() {}

  /** Codes into the codebook of all rows. See {@link SelectDots#floats}. */
  static void ofAll(
      int[] places,
      int[] codes,
      int at,
      int next,
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
      int first = at + block * COUNT;
      int second = first + next;
      int in = from + block * SelectRows.BLOCK;
      IntVector p = IntVector.fromArray(I, places, first);
      IntVector p2 = IntVector.fromArray(I, places, second);
      IntVector w = IntVector.fromArray(I, codes, first);
      IntVector w2 = IntVector.fromArray(I, codes, second);
      IntVector x0 = FloatVector.fromArray(F, x, in).reinterpretAsInts();
      a = w.selectFrom(table).reinterpretAsFloats().fma(p.selectFrom(x0).reinterpretAsFloats(), a);
      c =
          w2.selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.selectFrom(x0).reinterpretAsFloats(), c);
      IntVector x1 = FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 4)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 4)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), d);
      IntVector x2 = FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts();
      a =
          w.lanewise(VectorOperators.LSHR, 8)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), a);
      c =
          w2.lanewise(VectorOperators.LSHR, 8)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), c);
      IntVector x3 = FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 12)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 12)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), d);
      IntVector x4 = FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts();
      a =
          w.lanewise(VectorOperators.LSHR, 16)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), a);
      c =
          w2.lanewise(VectorOperators.LSHR, 16)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), c);
      IntVector x5 = FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 20)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 20)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), d);
      IntVector x6 = FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts();
      a =
          w.lanewise(VectorOperators.LSHR, 24)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), a);
      c =
          w2.lanewise(VectorOperators.LSHR, 24)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), c);
      IntVector x7 = FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 28)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 28)
              .selectFrom(table)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(a, b).intoArray(x, sums);
    one.fma(c, d).intoArray(x, sums + COUNT);
  }

  /**
   * Codes into a codebook for each row. See {@link SelectDots#floats}.
   *
   * @param book position of the first row's codebook; those of the other rows follow
   */
  static void ofRows(
      int[] places,
      int[] codes,
      int at,
      int next,
      int blocks,
      float[] centroids,
      int book,
      float[] x,
      int from,
      int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    IntVector low = FloatVector.fromArray(F, centroids, book).reinterpretAsInts();
    IntVector high = FloatVector.fromArray(F, centroids, book + COUNT).reinterpretAsInts();
    IntVector low2 = FloatVector.fromArray(F, centroids, book + 2 * COUNT).reinterpretAsInts();
    IntVector high2 = FloatVector.fromArray(F, centroids, book + 3 * COUNT).reinterpretAsInts();
    IntVector rows = IntVector.fromArray(I, ROWS, 0);
    for (int block = 0; block < blocks; block++) {
      int first = at + block * COUNT;
      int second = first + next;
      int in = from + block * SelectRows.BLOCK;
      IntVector p = IntVector.fromArray(I, places, first);
      IntVector p2 = IntVector.fromArray(I, places, second);
      IntVector w = IntVector.fromArray(I, codes, first);
      IntVector w2 = IntVector.fromArray(I, codes, second);
      IntVector x0 = FloatVector.fromArray(F, x, in).reinterpretAsInts();
      a =
          w.and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.selectFrom(x0).reinterpretAsFloats(), a);
      c =
          w2.and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.selectFrom(x0).reinterpretAsFloats(), c);
      IntVector x1 = FloatVector.fromArray(F, x, in + COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 4)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 4)
              .and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 4).selectFrom(x1).reinterpretAsFloats(), d);
      IntVector x2 = FloatVector.fromArray(F, x, in + 2 * COUNT).reinterpretAsInts();
      a =
          w.lanewise(VectorOperators.LSHR, 8)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), a);
      c =
          w2.lanewise(VectorOperators.LSHR, 8)
              .and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 8).selectFrom(x2).reinterpretAsFloats(), c);
      IntVector x3 = FloatVector.fromArray(F, x, in + 3 * COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 12)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 12)
              .and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 12).selectFrom(x3).reinterpretAsFloats(), d);
      IntVector x4 = FloatVector.fromArray(F, x, in + 4 * COUNT).reinterpretAsInts();
      a =
          w.lanewise(VectorOperators.LSHR, 16)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), a);
      c =
          w2.lanewise(VectorOperators.LSHR, 16)
              .and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 16).selectFrom(x4).reinterpretAsFloats(), c);
      IntVector x5 = FloatVector.fromArray(F, x, in + 5 * COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 20)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 20)
              .and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 20).selectFrom(x5).reinterpretAsFloats(), d);
      IntVector x6 = FloatVector.fromArray(F, x, in + 6 * COUNT).reinterpretAsInts();
      a =
          w.lanewise(VectorOperators.LSHR, 24)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), a);
      c =
          w2.lanewise(VectorOperators.LSHR, 24)
              .and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 24).selectFrom(x6).reinterpretAsFloats(), c);
      IntVector x7 = FloatVector.fromArray(F, x, in + 7 * COUNT).reinterpretAsInts();
      b =
          w.lanewise(VectorOperators.LSHR, 28)
              .and(CODE)
              .or(rows)
              .selectFrom(low, high)
              .reinterpretAsFloats()
              .fma(p.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), b);
      d =
          w2.lanewise(VectorOperators.LSHR, 28)
              .and(CODE)
              .or(rows)
              .selectFrom(low2, high2)
              .reinterpretAsFloats()
              .fma(p2.lanewise(VectorOperators.LSHR, 28).selectFrom(x7).reinterpretAsFloats(), d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(a, b).intoArray(x, sums);
    one.fma(c, d).intoArray(x, sums + COUNT);
  }
}
