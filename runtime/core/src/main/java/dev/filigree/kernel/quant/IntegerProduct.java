package dev.filigree.kernel.quant;

import dev.filigree.Tensor;
import java.util.Arrays;

/** Exact sums of products of two matrices of 8-bit integers less their zero points, row by row. */
final class IntegerProduct {
  /** Products whose sum stays within 31 bits, whatever they are: each is 255 times 255 at most. */
  private static final int WITHIN_INT = 1 << 15;

  private final int k;
  private final int n;
  private final int[] right;
  private final int[] left;
  private final int[] part;
  private final long[] sums;

  /**
   * Takes B's values.
   *
   * @param b with the matrix {@code [k, n]}
   * @param at its first element
   * @param zeros of B, one for all or one for each column; null for 0
   */
  IntegerProduct(Tensor b, long at, int n, int k, Tensor zeros) {
    this.k = k;
    this.n = n;
    this.right = new int[Math.multiplyExact(k, n)];
    this.left = new int[k];
    this.part = new int[n];
    this.sums = new long[n];
    for (int i = 0; i < right.length; i++) {
      right[i] = (int) (b.getLong(at + i) - ZeroPoints.at(zeros, i % n));
    }
  }

  /**
   * The sums of a row of A with each column; overwritten by the next.
   *
   * @param a with the matrix {@code [m, k]}
   * @param at its first element
   * @param row of it
   * @param zeros of A, one for all or one for each row; null for 0
   */
  long[] row(Tensor a, long at, int row, Tensor zeros) {
    long zero = ZeroPoints.at(zeros, row);
    for (int p = 0; p < k; p++) {
      left[p] = (int) (a.getLong(at + (long) row * k + p) - zero);
    }
    Arrays.fill(sums, 0);
    for (int from = 0; from < k; from += WITHIN_INT) {
      Arrays.fill(part, 0);
      for (int p = from; p < Math.min(k, from + WITHIN_INT); p++) {
        add(left[p], p * n);
      }
      for (int j = 0; j < n; j++) {
        sums[j] += part[j];
      }
    }
    return sums;
  }

  private void add(int factor, int from) {
    for (int j = 0; j < n; j++) {
      part[j] += factor * right[from + j];
    }
  }
}
