package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;

/**
 * The product of a tile of four outputs with a single token. A vector of weights holds four outputs
 * for several features, so each input is repeated four times first; the weights are then streamed
 * with one load and one multiply-add a vector.
 *
 * <pre>
 *   weights   w[0,k] w[1,k] w[2,k] w[3,k]  w[0,k+1] w[1,k+1] w[2,k+1] w[3,k+1]  ...
 *   inputs    x[k]   x[k]   x[k]   x[k]    x[k+1]   x[k+1]   x[k+1]   x[k+1]    ...
 * </pre>
 */
final class OneToken {
  private static final int OUTPUTS = DenseTiles.OUTPUTS;

  private OneToken() {}

  /** Floats of scratch for a number of features. */
  static int scratch(int features) {
    return OUTPUTS * features + COUNT;
  }

  /**
   * Repeats inputs for the tiles that follow.
   *
   * @param x address of the inputs
   * @param k number of features
   */
  static void repeat(long x, int k, float[] scratch) {
    for (int i = 0; i < k; i++) {
      float value = ALL.get(DType.FLOAT, x + (long) i * Float.BYTES);
      scratch[4 * i] = value;
      scratch[4 * i + 1] = value;
      scratch[4 * i + 2] = value;
      scratch[4 * i + 3] = value;
    }
  }

  /**
   * Adds the products of a tile, with the inputs that were repeated last.
   *
   * @param w weights {@code [k][4]}, from {@code at} on
   * @param y address of the outputs
   * @param outputs rows that are there, at most 4
   */
  static void tile(float[] w, int at, int k, long y, int outputs, float[] scratch) {
    int sums = OUTPUTS * k;
    int done = stream(w, at, OUTPUTS * k, scratch, sums);
    for (int o = 0; o < outputs; o++) {
      float sum = ALL.get(DType.FLOAT, y + (long) o * Float.BYTES);
      for (int lane = o; lane < COUNT; lane += OUTPUTS) {
        sum += scratch[sums + lane];
      }
      for (int i = done + o; i < OUTPUTS * k; i += OUTPUTS) {
        sum += w[at + i] * scratch[i];
      }
      ALL.set(DType.FLOAT, y + (long) o * Float.BYTES, sum);
    }
  }

  /** Sums of whole vectors of products, one for each lane; returns how many weights they took. */
  private static int stream(float[] w, int at, int count, float[] x, int sums) {
    FloatVector a = FloatVector.zero(F);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    int i = 0;
    for (; i + 4 * COUNT <= count; i += 4 * COUNT) {
      a = FloatVector.fromArray(F, w, at + i).fma(FloatVector.fromArray(F, x, i), a);
      b =
          FloatVector.fromArray(F, w, at + i + COUNT)
              .fma(FloatVector.fromArray(F, x, i + COUNT), b);
      c =
          FloatVector.fromArray(F, w, at + i + 2 * COUNT)
              .fma(FloatVector.fromArray(F, x, i + 2 * COUNT), c);
      d =
          FloatVector.fromArray(F, w, at + i + 3 * COUNT)
              .fma(FloatVector.fromArray(F, x, i + 3 * COUNT), d);
    }
    for (; i + COUNT <= count; i += COUNT) {
      a = FloatVector.fromArray(F, w, at + i).fma(FloatVector.fromArray(F, x, i), a);
    }
    FloatVector one = FloatVector.broadcast(F, 1f);
    one.fma(one.fma(a, b), one.fma(c, d)).intoArray(x, sums);
    return i;
  }
}
