package dev.filigree.compress.algebra;

import dev.filigree.plan.WorkerPool;

/**
 * Factors of symmetric positive definite matrices in double precision, blocked for the caches. Only
 * the upper triangle is read; what lies below it is lost.
 */
public final class Cholesky {
  /** Rows of a panel. */
  private static final int PANEL = Rows.PANEL;

  /** Rows and columns of a block. */
  private static final int TILE = Rows.TILE;

  private Cholesky() {}

  /** A loop whose turns may run side by side. */
  private interface Turns {
    void run(int count, WorkerPool.Body body);
  }

  /**
   * One turn after the other, for callers that are busy on all threads with matrices of their own.
   */
  private static void alone(int count, WorkerPool.Body body) {
    for (int i = 0; i < count; i++) {
      body.run(i, 0);
    }
  }

  /**
   * Replaces the upper triangle of a matrix by U with {@code A = U^T U}, on one thread.
   *
   * @param n order; the rows may be longer
   * @return whether the matrix was positive definite; if not, its contents are lost
   */
  public static boolean factor(double[][] a, int n) {
    return factor(a, n, Cholesky::alone);
  }

  /** The same by the threads of a pool, with the same result. */
  public static boolean factor(double[][] a, int n, WorkerPool pool) {
    return factor(a, n, pool::forEach);
  }

  private static boolean factor(double[][] a, int n, Turns turns) {
    double[] factors = new double[PANEL];
    for (int first = 0; first < n; first += PANEL) {
      int panel = first;
      int last = Math.min(n, first + PANEL);
      for (int i = first; i < last; i++) {
        for (int k = first; k < i; k++) {
          factors[k - first] = a[k][i];
        }
        Rows.subtract(a[i], a, first, i, factors, first, i, n);
        double pivot = a[i][i];
        // NaN fails this as well
        if (!(pivot > 0) || pivot == Double.POSITIVE_INFINITY) {
          return false;
        }
        Rows.scale(a[i], 1 / Math.sqrt(pivot), i, n);
      }
      int tiles = Math.ceilDiv(n - last, TILE);
      turns.run(
          tiles * tiles,
          (item, worker) -> {
            int rows = last + item / tiles * TILE;
            int columns = last + item % tiles * TILE;
            if (rows <= columns) {
              eliminate(a, n, panel, last, rows, columns);
            }
          });
    }
    return true;
  }

  /** Takes what a panel of rows contributes from a block of those below it. */
  private static void eliminate(double[][] a, int n, int first, int last, int rows, int columns) {
    double[][] factors = new double[4][last - first];
    int stop = Math.min(n, rows + TILE);
    int end = Math.min(n, columns + TILE);
    int i = rows;
    for (; i < stop; i += 4) {
      int together = Math.min(4, stop - i);
      for (int m = 0; m < together; m++) {
        for (int k = first; k < last; k++) {
          factors[m][k - first] = a[k][i + m];
        }
      }
      if (together == 4) {
        // of the three rows behind the first a few values left of the diagonal change as well
        Rows.subtract4(a, i, a, first, last, factors, 0, first, Math.max(i, columns), end);
      } else {
        for (int m = 0; m < together; m++) {
          int start = Math.max(i + m, columns);
          Rows.subtract(a[i + m], a, first, last, factors[m], first, start, end);
        }
      }
    }
  }

  /** Solves {@code U^T U x = b} in place. */
  public static void solve(double[][] u, int n, double[] b) {
    for (int i = 0; i < n; i++) {
      double value = b[i] / u[i][i];
      b[i] = value;
      double[] row = u[i];
      for (int j = i + 1; j < n; j++) {
        b[j] -= value * row[j];
      }
    }
    for (int i = n - 1; i >= 0; i--) {
      double[] row = u[i];
      double sum = b[i];
      for (int j = i + 1; j < n; j++) {
        sum -= row[j] * b[j];
      }
      b[i] = sum / row[i];
    }
  }

  /**
   * The upper triangular U with {@code A^-1 = U^T U}: what optimal brain surgery walks along. With
   * the rows and columns reversed {@code A = R R^T} with an upper triangular R, and U is the
   * inverse of R.
   *
   * @param a symmetric, upper triangle; kept
   * @return null if the matrix is not positive definite
   */
  public static double[][] ofInverse(double[][] a, WorkerPool pool) {
    int n = a.length;
    double[][] reversed = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        // the upper triangle of the reversed matrix is the reversed lower one, which is the upper
        reversed[n - 1 - j][n - 1 - i] = a[i][j];
      }
    }
    if (!factor(reversed, n, pool)) {
      return null;
    }
    double[][] r = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        r[i][j] = reversed[n - 1 - j][n - 1 - i];
      }
    }
    double[][] x = new double[n][n];
    // wide columns first, so that no thread is left with one at the end
    int tiles = Math.ceilDiv(n, TILE);
    pool.forEach(
        tiles,
        (item, worker) -> {
          int start = (tiles - 1 - item) * TILE;
          invert(r, x, start, Math.min(n, start + TILE));
        });
    return x;
  }

  /**
   * Some columns of the inverse x of an upper triangular matrix r, from their last rows up. They do
   * not depend on others.
   */
  private static void invert(double[][] r, double[][] x, int start, int end) {
    for (int last = end; last > 0; last -= PANEL) {
      int first = Math.max(0, last - PANEL);
      Rows.subtract(x, first, last, x, last, end, r, 0, start, end);
      for (int i = last - 1; i >= first; i--) {
        Rows.subtract(x[i], x, i + 1, last, r[i], 0, start, end);
        if (i >= start) {
          x[i][i] = 1;
        }
        Rows.scale(x[i], 1 / r[i][i], Math.max(i, start), end);
      }
    }
  }
}
