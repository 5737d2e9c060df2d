package dev.filigree.compress.layer;

/**
 * The inner loop of all dense algebra here: a row minus a combination of other rows. Matrices are
 * arrays of rows, so that every row is an array of its own and the compiler can turn the loops into
 * vector instructions.
 */
final class Rows {
  /** Rows combined in one sweep: each value of the result is loaded and stored once for eight. */
  private static final int UNROLLED = 8;

  private Rows() {}

  /**
   * {@code y[j] -= sum over k of factors[k - offset] * rows[k][j]} for the columns {@code [start,
   * end)}.
   *
   * @param from first row of {@code rows}
   * @param to row after the last
   * @param offset of the factors: the row that belongs to {@code factors[0]}
   */
  static void subtract(
      double[] y,
      double[][] rows,
      int from,
      int to,
      double[] factors,
      int offset,
      int start,
      int end) {
    int k = from;
    for (; k + UNROLLED <= to; k += UNROLLED) {
      subtract8(y, rows, k, factors, k - offset, start, end);
    }
    for (; k < to; k++) {
      subtract1(y, rows[k], factors[k - offset], start, end);
    }
  }

  private static void subtract8(
      double[] y, double[][] rows, int k, double[] factors, int at, int start, int end) {
    double[] r0 = rows[k];
    double[] r1 = rows[k + 1];
    double[] r2 = rows[k + 2];
    double[] r3 = rows[k + 3];
    double[] r4 = rows[k + 4];
    double[] r5 = rows[k + 5];
    double[] r6 = rows[k + 6];
    double[] r7 = rows[k + 7];
    double f0 = factors[at];
    double f1 = factors[at + 1];
    double f2 = factors[at + 2];
    double f3 = factors[at + 3];
    double f4 = factors[at + 4];
    double f5 = factors[at + 5];
    double f6 = factors[at + 6];
    double f7 = factors[at + 7];
    for (int j = start; j < end; j++) {
      double low = f0 * r0[j] + f1 * r1[j] + f2 * r2[j] + f3 * r3[j];
      double high = f4 * r4[j] + f5 * r5[j] + f6 * r6[j] + f7 * r7[j];
      y[j] -= low + high;
    }
  }

  private static void subtract1(double[] y, double[] row, double factor, int start, int end) {
    for (int j = start; j < end; j++) {
      y[j] -= factor * row[j];
    }
  }

  static void scale(double[] y, double factor, int start, int end) {
    for (int j = start; j < end; j++) {
      y[j] *= factor;
    }
  }

  /** The product of two rows over the columns {@code [0, end)}. */
  static double dot(double[] a, double[] b, int end) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int j = 0;
    // sums of doubles are not reordered by the compiler, so four chains run side by side
    for (; j + 4 <= end; j += 4) {
      s0 += a[j] * b[j];
      s1 += a[j + 1] * b[j + 1];
      s2 += a[j + 2] * b[j + 2];
      s3 += a[j + 3] * b[j + 3];
    }
    for (; j < end; j++) {
      s0 += a[j] * b[j];
    }
    return s0 + s1 + (s2 + s3);
  }
}
