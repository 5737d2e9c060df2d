package dev.filigree.compress.layer;

import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import java.util.Arrays;

/**
 * Second moments of a layer's inputs, summed over tokens as they stream by: {@code X^T X}, the sums
 * of X, and, for each layer that reads these inputs and is to be fitted, {@code T^T X} with the
 * outputs T it should make. Memory is bounded by the matrices. Sums are in f64; products of a few
 * hundred tokens are in f32.
 */
public final class Moments {
  private final Products products;
  private final int inputs;
  private final double[][] second;
  private final double[] sums;
  private final double[] squares;
  private long tokens;

  /** Tokens the lower triangle knows of. */
  private long mirrored;

  /**
   * Moments of no tokens yet.
   *
   * @param inputs features of a token
   * @param full whether all products are wanted; if not, only squares and sums are kept
   */
  public Moments(int inputs, boolean full, Kernels kernels, WorkerPool pool) {
    this.products = new Products(kernels, pool);
    this.inputs = inputs;
    this.second = full ? new double[inputs][inputs] : null;
    this.sums = new double[inputs];
    this.squares = new double[inputs];
  }

  /** Adds tokens {@code [count, inputs]}. */
  public void add(float[] x, int count) {
    for (int t = 0; t < count; t++) {
      for (int i = 0; i < inputs; i++) {
        double value = x[t * inputs + i];
        sums[i] += value;
        squares[i] += value * value;
      }
    }
    tokens += count;
    if (second != null) {
      chunks(
          x,
          inputs,
          x,
          inputs,
          count,
          (a, b, n) -> products.add(second, a, inputs, b, inputs, n, true));
    }
  }

  /** Adds {@code T^T X} of tokens to {@code [outputs, inputs]}, and the sums of T to its last. */
  public void addTargets(
      double[][] cross, double[] targetSums, float[] t, int outputs, float[] x, int count) {
    for (int i = 0; i < count; i++) {
      for (int o = 0; o < outputs; o++) {
        targetSums[o] += t[i * outputs + o];
      }
    }
    chunks(
        t,
        outputs,
        x,
        inputs,
        count,
        (a, b, n) -> products.add(cross, a, outputs, b, inputs, n, false));
  }

  private interface Chunk {
    void add(float[] a, float[] b, int tokens);
  }

  private static void chunks(float[] a, int width, float[] b, int inputs, int count, Chunk chunk) {
    for (int from = 0; from < count; from += Products.CHUNK) {
      int to = Math.min(count, from + Products.CHUNK);
      float[] partOfA = part(a, from, to, width, count);
      chunk.add(partOfA, a == b ? partOfA : part(b, from, to, inputs, count), to - from);
    }
  }

  private static float[] part(float[] values, int from, int to, int width, int count) {
    return to - from == count ? values : Arrays.copyOfRange(values, from * width, to * width);
  }

  /** Features of a token. */
  public int inputs() {
    return inputs;
  }

  /** Tokens seen. */
  public long tokens() {
    return tokens;
  }

  /** Sum of an input over all tokens. */
  double sum(int input) {
    return sums[input];
  }

  /** Mean of an input. */
  public double mean(int input) {
    return tokens == 0 ? 0 : sums[input] / tokens;
  }

  /** Mean square of an input: the diagonal of the Hessian, up to a factor. */
  public double meanSquare(int input) {
    return tokens == 0 ? 0 : squares[input] / tokens;
  }

  /** Inputs that were zero at every token. */
  public int deadInputs() {
    return (int) Arrays.stream(squares).filter(square -> square == 0).count();
  }

  /** Whether all products are known. */
  public boolean isFull() {
    return second != null;
  }

  /** {@code X^T X}. Sums are made of the upper triangle, which is mirrored when it is asked for. */
  double[][] second() {
    if (mirrored != tokens) {
      for (int i = 0; i < inputs; i++) {
        for (int j = i + 1; j < inputs; j++) {
          second[j][i] = second[i][j];
        }
      }
      mirrored = tokens;
    }
    return second;
  }

  /**
   * Squared norm of the outputs that weights make of these inputs: the sum over rows of {@code w
   * X^T X w^T}.
   *
   * @param weights {@code [rows, inputs]}
   */
  public double outputEnergy(double[][] weights) {
    double[][] products = second();
    double energy = 0;
    for (double[] w : weights) {
      double[] y = new double[inputs];
      Rows.subtract(y, products, 0, inputs, w, 0, 0, inputs);
      energy -= Rows.dot(w, y, inputs);
    }
    return Math.max(0, energy);
  }
}
