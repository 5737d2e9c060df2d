package dev.filigree.compress.layer;

import dev.filigree.compress.algebra.Rows;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import java.util.Arrays;

/**
 * Second moments of a layer's inputs, summed over tokens as they stream by: {@code X^T X}, the sums
 * and the squares of X. Memory is bounded by the matrix. Sums are in f64; products of a few hundred
 * tokens are in f32.
 */
public final class Moments {
  /** Rows of weights whose outputs a thread works out at a time. */
  private static final int STRIPE = 64;

  private final int inputs;
  private final Kernels kernels;
  private final WorkerPool pool;
  private final Products second;
  private final double[] sums;
  private final double[] squares;
  private long tokens;

  /**
   * Moments of no tokens yet.
   *
   * @param inputs features of a token
   * @param full whether all products are wanted; if not, only squares and sums are kept
   */
  public Moments(int inputs, boolean full, Kernels kernels, WorkerPool pool) {
    this.inputs = inputs;
    this.kernels = kernels;
    this.pool = pool;
    this.second = full ? new Products(inputs, inputs, true, kernels, pool) : null;
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
      second.add(x, null, count);
    }
  }

  /** Features of a token. */
  public int inputs() {
    return inputs;
  }

  /** The kernels that multiply. */
  Kernels kernels() {
    return kernels;
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

  /** {@code X^T X}. */
  double[][] second() {
    return second.sum();
  }

  /**
   * The product of two inputs summed over tokens.
   *
   * @param centred whether of their differences from their means
   */
  double product(int row, int column, boolean centred) {
    double product = second()[row][column];
    return centred && tokens > 0 ? product - sums[row] * sums[column] / tokens : product;
  }

  /**
   * Squared norm of the outputs that weights make of these inputs: the sum over rows of {@code w
   * X^T X w^T}.
   *
   * @param weights {@code [rows, inputs]}
   */
  public double outputEnergy(double[][] weights) {
    double[][] products = second();
    double[] energies = new double[Math.ceilDiv(weights.length, STRIPE)];
    pool.forEach(
        energies.length,
        (stripe, worker) -> {
          int from = stripe * STRIPE;
          double[][] w = Arrays.copyOfRange(weights, from, Math.min(weights.length, from + STRIPE));
          double[][] y = new double[w.length][inputs];
          Rows.subtract(y, 0, w.length, products, 0, inputs, w, 0, 0, inputs);
          for (int r = 0; r < w.length; r++) {
            energies[stripe] -= Rows.dot(w[r], y[r], inputs);
          }
        });
    return Math.max(0, Arrays.stream(energies).sum());
  }
}
