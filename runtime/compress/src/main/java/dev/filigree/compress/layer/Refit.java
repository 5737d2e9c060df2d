package dev.filigree.compress.layer;

import dev.filigree.compress.algebra.Cholesky;
import dev.filigree.compress.algebra.SupportedSolver;
import dev.filigree.plan.WorkerPool;
import dev.filigree.weights.Mask;
import java.util.Arrays;

/**
 * Exact least squares on the weights that stay: for every output the weights and the bias that come
 * closest to its target over all tokens, drawn a little towards where they were. One Cholesky
 * factor for each row, over its own support; for layers of many inputs, where that takes the cube
 * of what stays for every row, conjugate gradients until no row can be a thousandth better, or a
 * few steps of them where fewer tokens than inputs were seen. Not safe to share.
 */
public final class Refit implements AutoCloseable {
  /** Pull towards the weights as they were, as a fraction of the mean diagonal of {@code X^T X}. */
  public static final double DAMPING = 1e-3;

  /** What a row found by conjugate gradients may lose beyond the least loss, as its fraction. */
  private static final double TOLERANCE = 1e-3;

  /**
   * Steps towards a fit to fewer tokens than inputs: there every step still lowers the loss, but
   * the least one, next to nothing, is hundreds of steps away and says little of other tokens.
   */
  private static final int FEW_TOKENS_STEPS = 40;

  /**
   * Inputs from which conjugate gradients are faster: some ten steps of two products in f32 against
   * a factor in f64 for every row.
   */
  static final int MANY_INPUTS = 512;

  private final Moments moments;
  private final boolean hasBias;
  private final WorkerPool pool;

  /** For many inputs, from the first fit on; null if the moments cannot be factored. */
  private SupportedSolver solver;

  private boolean isPrepared;

  /**
   * A fit.
   *
   * @param hasBias whether the layer has a bias, which is then fitted too
   */
  public Refit(Moments moments, boolean hasBias, WorkerPool pool) {
    this.moments = moments;
    this.hasBias = hasBias;
    this.pool = pool;
  }

  /**
   * Fits weights in place.
   *
   * @param weights {@code [rows, inputs]}
   * @param mask what stays, or null for all
   * @param targets the outputs to come close to
   * @return the biases, or null if the layer has none
   */
  public double[] fit(double[][] weights, Mask mask, Outputs targets) {
    int rows = weights.length;
    double[] biases = hasBias ? new double[rows] : null;
    double pull = pull();
    boolean[] done = new boolean[rows];
    if (moments.inputs() >= MANY_INPUTS) {
      done = fitTogether(weights, mask, targets, pull);
    }
    if (mask == null && !isAll(done)) {
      fitAll(weights, targets, biases, pull);
    } else {
      fitSingly(weights, mask, targets, pull, done, biases);
    }
    return biases;
  }

  private static boolean isAll(boolean[] done) {
    boolean all = true;
    for (boolean each : done) {
      all &= each;
    }
    return all;
  }

  @Override
  public void close() {
    if (solver != null) {
      solver.close();
    }
  }

  /** What is added to the diagonal of {@code X^T X}. */
  double pull() {
    double[][] second = moments.second();
    double trace = 0;
    for (int i = 0; i < moments.inputs(); i++) {
      trace += second[i][i];
    }
    // a layer that only ever saw zeros keeps its weights
    return trace == 0 ? 1 : DAMPING * trace / moments.inputs();
  }

  /**
   * Fits all rows by conjugate gradients. With a bias, sums run around the means, which comes to
   * the same.
   *
   * @return which rows are as good as exact; they are none if the moments cannot be factored
   */
  boolean[] fitTogether(double[][] weights, Mask mask, Outputs targets, double pull) {
    int n = moments.inputs();
    prepare(n, pull);
    if (solver == null) {
      return new boolean[weights.length];
    }
    // adds up what is pending, on all threads
    double[][] cross = targets.cross();
    double[][] b = new double[weights.length][n];
    double[] constant = new double[weights.length];
    double[][] fitted = new double[weights.length][n];
    pool.forEach(
        weights.length,
        (row, worker) -> {
          double mean = hasBias ? targets.sum(row) / Math.max(1, moments.tokens()) : 0;
          constant[row] = targets.squares(row) - mean * targets.sum(row);
          for (int i = 0; i < n; i++) {
            constant[row] += pull * weights[row][i] * weights[row][i];
            fitted[row][i] = isKept(mask, row, i) ? weights[row][i] : 0;
            b[row][i] = cross[row][i] - mean * moments.sum(i) + pull * weights[row][i];
          }
        });
    boolean isFew = moments.tokens() < n;
    int steps = isFew ? FEW_TOKENS_STEPS : SupportedSolver.ENOUGH_STEPS;
    boolean[] done = solver.solve(fitted, mask, b, constant, TOLERANCE, steps);
    if (isFew) {
      Arrays.fill(done, true);
    }
    for (int row = 0; row < done.length; row++) {
      for (int i = 0; done[row] && i < n; i++) {
        weights[row][i] = isKept(mask, row, i) ? fitted[row][i] : weights[row][i];
      }
    }
    return done;
  }

  private static boolean isKept(Mask mask, int row, int input) {
    return mask == null || mask.kept(row, input);
  }

  /** Factors the moments, once for the fits before and after pruning. */
  private void prepare(int n, double pull) {
    if (isPrepared) {
      return;
    }
    isPrepared = true;
    double[][] a = new double[n][n];
    pool.forEach(
        n,
        (i, worker) -> {
          for (int j = 0; j < n; j++) {
            a[i][j] = moments.product(i, j, hasBias);
          }
          a[i][i] += pull;
        });
    solver = SupportedSolver.of(a, moments.kernels(), pool);
  }

  /** Fits the rows that are not done, and the biases of all. */
  void fitSingly(
      double[][] weights,
      Mask mask,
      Outputs targets,
      double pull,
      boolean[] done,
      double[] biases) {
    double[][] cross = targets.cross();
    int n = moments.inputs() + 1;
    double[][][] scratch = new double[pool.size()][][];
    pool.forEach(
        weights.length,
        (row, worker) -> {
          double bias;
          if (done[row]) {
            bias = hasBias ? bias(weights[row], targets.sum(row)) : 0;
          } else {
            if (scratch[worker] == null) {
              scratch[worker] = new double[n][n];
            }
            bias =
                fit(weights[row], mask, row, cross[row], targets.sum(row), pull, scratch[worker]);
          }
          if (hasBias) {
            biases[row] = bias;
          }
        });
  }

  private double fit(
      double[] w, Mask mask, int row, double[] cross, double targetSum, double pull, double[][] a) {
    int[] support = new int[w.length];
    int kept = 0;
    for (int i = 0; i < w.length; i++) {
      if (mask.kept(row, i)) {
        support[kept++] = i;
      }
    }
    int n = kept + (hasBias ? 1 : 0);
    double[] b = new double[n];
    for (int i = 0; i < kept; i++) {
      double[] from = moments.second()[support[i]];
      double[] to = a[i];
      for (int j = i; j < kept; j++) {
        to[j] = from[support[j]];
      }
      to[i] += pull;
      b[i] = cross[support[i]] + pull * w[support[i]];
      if (hasBias) {
        to[kept] = moments.sum(support[i]);
      }
    }
    if (hasBias) {
      a[kept][kept] = Math.max(1, moments.tokens());
      b[kept] = targetSum;
    }
    // the pull makes it positive definite up to rounding, and rounding keeps the weights as they
    // are
    if (!Cholesky.factor(a, n)) {
      return hasBias ? bias(w, targetSum) : 0;
    }
    Cholesky.solve(a, n, b);
    for (int i = 0; i < kept; i++) {
      w[support[i]] = b[i];
    }
    return hasBias ? b[kept] : 0;
  }

  /** The bias that puts the mean of an output where its target's is. */
  private double bias(double[] w, double targetSum) {
    double bias = targetSum / Math.max(1, moments.tokens());
    for (int i = 0; i < w.length; i++) {
      bias -= w[i] * moments.mean(i);
    }
    return bias;
  }

  /** When nothing is dropped one factor serves all rows. */
  private void fitAll(double[][] weights, Outputs targets, double[] biases, double pull) {
    double[][] cross = targets.cross();
    int inputs = moments.inputs();
    int n = inputs + (hasBias ? 1 : 0);
    double[][] a = new double[n][n];
    for (int i = 0; i < inputs; i++) {
      System.arraycopy(moments.second()[i], i, a[i], i, inputs - i);
      a[i][i] += pull;
      if (hasBias) {
        a[i][inputs] = moments.sum(i);
      }
    }
    if (hasBias) {
      a[inputs][inputs] = Math.max(1, moments.tokens());
    }
    boolean factored = Cholesky.factor(a, n, pool);
    pool.forEach(
        weights.length,
        (row, worker) -> {
          double[] w = weights[row];
          if (factored) {
            double[] b = new double[n];
            for (int i = 0; i < inputs; i++) {
              b[i] = cross[row][i] + pull * w[i];
            }
            if (hasBias) {
              b[inputs] = targets.sum(row);
            }
            Cholesky.solve(a, n, b);
            System.arraycopy(b, 0, w, 0, inputs);
            if (hasBias) {
              biases[row] = b[inputs];
            }
          } else if (hasBias) {
            biases[row] = bias(w, targets.sum(row));
          }
        });
  }
}
