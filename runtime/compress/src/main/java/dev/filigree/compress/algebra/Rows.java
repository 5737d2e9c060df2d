package dev.filigree.compress.algebra;

/**
 * The inner loop of all dense algebra here: a row minus a combination of other rows. Matrices are
 * arrays of rows, so that every row is an array of its own and the compiler can turn the loops into
 * vector instructions; it fuses a product and a sum only where it is told to.
 */
public final class Rows {
  /** Rows combined while a tile of them stays in the second cache. */
  static final int PANEL = 48;

  /** Columns of a tile. */
  static final int TILE = 512;

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
  public static void subtract(
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
      double low = Math.fma(f0, r0[j], Math.fma(f1, r1[j], Math.fma(f2, r2[j], f3 * r3[j])));
      double high = Math.fma(f4, r4[j], Math.fma(f5, r5[j], Math.fma(f6, r6[j], f7 * r7[j])));
      y[j] -= low + high;
    }
  }

  private static void subtract1(double[] y, double[] row, double factor, int start, int end) {
    for (int j = start; j < end; j++) {
      y[j] -= factor * row[j];
    }
  }

  /**
   * {@code y[i][j] -= sum over k of factors[i][k - offset] * rows[k][j]} for the rows i in {@code
   * [first, last)} and the columns {@code [start, end)}: a product of matrices. What is combined
   * goes through the caches in pieces that serve all rows, and what is loaded of it serves four.
   * The sum of a value takes the same terms in the same order however rows and columns are divided.
   *
   * @param from first row of {@code rows}
   * @param to row after the last
   * @param offset of the factors: the row that belongs to {@code factors[i][0]}
   */
  public static void subtract(
      double[][] y,
      int first,
      int last,
      double[][] rows,
      int from,
      int to,
      double[][] factors,
      int offset,
      int start,
      int end) {
    for (int tile = start; tile < end; tile += TILE) {
      int stop = Math.min(end, tile + TILE);
      for (int panel = from; panel < to; panel += PANEL) {
        int after = Math.min(to, panel + PANEL);
        int i = first;
        for (; i + 4 <= last; i += 4) {
          subtract4(y, i, rows, panel, after, factors, i, offset, tile, stop);
        }
        for (; i < last; i++) {
          subtract(y[i], rows, panel, after, factors[i], offset, tile, stop);
        }
      }
    }
  }

  /**
   * The same for the four rows from {@code i} on.
   *
   * @param f which of the factors belong to row {@code i}
   */
  static void subtract4(
      double[][] y,
      int i,
      double[][] rows,
      int from,
      int to,
      double[][] factors,
      int f,
      int offset,
      int start,
      int end) {
    double[] a = factors[f];
    double[] b = factors[f + 1];
    double[] c = factors[f + 2];
    double[] d = factors[f + 3];
    int k = from;
    for (; k + 4 <= to; k += 4) {
      subtract16(y, i, rows, k, a, b, c, d, k - offset, start, end);
    }
    for (; k < to; k++) {
      for (int n = 0; n < 4; n++) {
        subtract1(y[i + n], rows[k], factors[f + n][k - offset], start, end);
      }
    }
  }

  private static void subtract16(
      double[][] y,
      int i,
      double[][] rows,
      int k,
      double[] a,
      double[] b,
      double[] c,
      double[] d,
      int at,
      int start,
      int end) {
    double[] y0 = y[i];
    double[] y1 = y[i + 1];
    double[] y2 = y[i + 2];
    double[] y3 = y[i + 3];
    double[] r0 = rows[k];
    double[] r1 = rows[k + 1];
    double[] r2 = rows[k + 2];
    double[] r3 = rows[k + 3];
    double a0 = -a[at];
    double a1 = -a[at + 1];
    double a2 = -a[at + 2];
    double a3 = -a[at + 3];
    double b0 = -b[at];
    double b1 = -b[at + 1];
    double b2 = -b[at + 2];
    double b3 = -b[at + 3];
    double c0 = -c[at];
    double c1 = -c[at + 1];
    double c2 = -c[at + 2];
    double c3 = -c[at + 3];
    double d0 = -d[at];
    double d1 = -d[at + 1];
    double d2 = -d[at + 2];
    double d3 = -d[at + 3];
    for (int j = start; j < end; j++) {
      double p0 = r0[j];
      double p1 = r1[j];
      double p2 = r2[j];
      double p3 = r3[j];
      y0[j] = Math.fma(a0, p0, Math.fma(a1, p1, Math.fma(a2, p2, Math.fma(a3, p3, y0[j]))));
      y1[j] = Math.fma(b0, p0, Math.fma(b1, p1, Math.fma(b2, p2, Math.fma(b3, p3, y1[j]))));
      y2[j] = Math.fma(c0, p0, Math.fma(c1, p1, Math.fma(c2, p2, Math.fma(c3, p3, y2[j]))));
      y3[j] = Math.fma(d0, p0, Math.fma(d1, p1, Math.fma(d2, p2, Math.fma(d3, p3, y3[j]))));
    }
  }

  static void scale(double[] y, double factor, int start, int end) {
    for (int j = start; j < end; j++) {
      y[j] *= factor;
    }
  }

  /** The product of two rows over the columns {@code [0, end)}. */
  public static double dot(double[] a, double[] b, int end) {
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
