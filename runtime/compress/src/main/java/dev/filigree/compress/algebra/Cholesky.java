package dev.filigree.compress.algebra;

/**
 * Factors of symmetric positive definite matrices in double precision, blocked for the caches. Only
 * the upper triangle is read; what lies below it is lost.
 */
public final class Cholesky {
  /** Rows of a panel, a multiple of what {@link Rows} combines. */
  private static final int PANEL = 48;

  /** Columns updated at a time: a panel's stretch of them stays in the second cache. */
  private static final int TILE = 512;

  private Cholesky() {}

  /**
   * Replaces the upper triangle of a matrix by U with {@code A = U^T U}.
   *
   * @param n order; the rows may be longer
   * @return whether the matrix was positive definite; if not, its contents are lost
   */
  public static boolean factor(double[][] a, int n) {
    double[] factors = new double[PANEL];
    for (int first = 0; first < n; first += PANEL) {
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
      for (int tile = last; tile < n; tile += TILE) {
        int end = Math.min(n, tile + TILE);
        int i = last;
        for (; i + 4 <= end; i += 4) {
          // of the three rows behind the first a few values left of the diagonal change as well
          Rows.eliminate4(a, i, first, last, Math.max(i, tile), end);
        }
        for (; i < end; i++) {
          for (int k = first; k < last; k++) {
            factors[k - first] = a[k][i];
          }
          Rows.subtract(a[i], a, first, last, factors, first, Math.max(i, tile), end);
        }
      }
    }
    return true;
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
  public static double[][] ofInverse(double[][] a) {
    int n = a.length;
    double[][] reversed = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        // the upper triangle of the reversed matrix is the reversed lower one, which is the upper
        reversed[n - 1 - j][n - 1 - i] = a[i][j];
      }
    }
    if (!factor(reversed, n)) {
      return null;
    }
    double[][] r = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        r[i][j] = reversed[n - 1 - j][n - 1 - i];
      }
    }
    return inverse(r);
  }

  /** The inverse of an upper triangular matrix, from its last rows up. */
  private static double[][] inverse(double[][] r) {
    int n = r.length;
    double[][] x = new double[n][n];
    for (int last = n; last > 0; last -= PANEL) {
      int first = Math.max(0, last - PANEL);
      // what the rows below contribute, panel by panel, so that each is loaded once for this one
      for (int below = last; below < n; below += PANEL) {
        int end = Math.min(n, below + PANEL);
        for (int i = first; i < last; i++) {
          Rows.subtract(x[i], x, below, end, r[i], 0, below, n);
        }
      }
      for (int i = last - 1; i >= first; i--) {
        Rows.subtract(x[i], x, i + 1, last, r[i], 0, i + 1, n);
        x[i][i] = 1;
        Rows.scale(x[i], 1 / r[i][i], i, n);
      }
    }
    return x;
  }
}
