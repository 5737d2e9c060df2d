package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ADDRESS;
import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.I;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * The product of a tile of four outputs with a single token. A vector of weights holds four outputs
 * for several features; from a vector of inputs, those of each of four vectors of weights are
 * selected:
 *
 * <pre>
 *   16 lanes       x[0] .. x[15]
 *   weights 0      w[0,0] w[1,0] w[2,0] w[3,0] | w[0,1] .. w[3,1] | .. | w[0,3] .. w[3,3]
 *   selected       x[0]   x[0]   x[0]   x[0]   | x[1]   .. x[1]   | .. | x[3]   .. x[3]
 *   weights 1      features 4..7, and so on to 3
 * </pre>
 */
final class OneToken {
  private static final int OUTPUTS = DenseTiles.OUTPUTS;

  /** The places of the inputs of four vectors of weights. */
  private static final int[] PLACES =
      IntStream.range(0, OUTPUTS * COUNT).map(i -> i / OUTPUTS).toArray();

  /** Floats in which a tile is summed. */
  static final int SUMS = COUNT;

  private OneToken() {}

  /**
   * Adds products of a tile to its sums, of which lane {@code i} belongs to output {@code i % 4}.
   *
   * @param x address of the inputs
   * @param w weights {@code [k][4]}, from {@code at} on
   * @param sums of the tile, from {@code to} on
   */
  static void add(long x, float[] w, int at, int k, float[] sums, int to) {
    int done = stream(x, w, at, k, sums, to);
    for (int i = done; i < k; i++) {
      float value = ALL.get(DType.FLOAT, x + (long) i * Float.BYTES);
      for (int o = 0; o < OUTPUTS; o++) {
        sums[to + o] += w[at + i * OUTPUTS + o] * value;
      }
    }
  }

  /**
   * Adds the sums of a tile to its outputs.
   *
   * @param y address of the outputs
   * @param outputs rows that are there, at most 4
   */
  static void finish(float[] sums, int from, long y, int outputs) {
    for (int o = 0; o < outputs; o++) {
      long at = y + (long) o * Float.BYTES;
      float sum = ALL.get(DType.FLOAT, at);
      for (int lane = o; lane < COUNT; lane += OUTPUTS) {
        sum += sums[from + lane];
      }
      ALL.set(DType.FLOAT, at, sum);
    }
  }

  /** Adds what fills whole vectors; returns how many features that is. */
  private static int stream(long x, float[] w, int at, int k, float[] sums, int to) {
    FloatVector a = FloatVector.fromArray(F, sums, to);
    FloatVector b = FloatVector.zero(F);
    FloatVector c = b;
    FloatVector d = b;
    IntVector first = IntVector.fromArray(I, PLACES, 0);
    IntVector second = IntVector.fromArray(I, PLACES, COUNT);
    IntVector third = IntVector.fromArray(I, PLACES, 2 * COUNT);
    IntVector fourth = IntVector.fromArray(I, PLACES, 3 * COUNT);
    int i = 0;
    for (; i + COUNT <= k; i += COUNT) {
      IntVector in =
          IntVector.fromMemorySegment(I, ALL, x + (long) i * Float.BYTES & ADDRESS, ORDER);
      int from = at + i * OUTPUTS;
      a = FloatVector.fromArray(F, w, from).fma(first.selectFrom(in).reinterpretAsFloats(), a);
      b =
          FloatVector.fromArray(F, w, from + COUNT)
              .fma(second.selectFrom(in).reinterpretAsFloats(), b);
      c =
          FloatVector.fromArray(F, w, from + 2 * COUNT)
              .fma(third.selectFrom(in).reinterpretAsFloats(), c);
      d =
          FloatVector.fromArray(F, w, from + 3 * COUNT)
              .fma(fourth.selectFrom(in).reinterpretAsFloats(), d);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(one.fma(a, b), one.fma(c, d)).intoArray(sums, to);
    return i;
  }
}
