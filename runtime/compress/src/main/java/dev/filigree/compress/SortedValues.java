package dev.filigree.compress;

import dev.filigree.InputException;
import java.util.Arrays;

/**
 * Values in ascending order with prefix sums, so that the cost of a cluster, an interval of them,
 * is known at once.
 */
final class SortedValues {
  private final double[] values;
  private final double shift;
  private final double[] masses;
  private final double[] sums;
  private final double[] squares;

  private SortedValues(double[] values, double[] weights) {
    this.values = values;
    int n = values.length;
    // a common shift keeps the differences of prefix sums exact enough when values lie far from
    // zero
    shift = values[n / 2];
    masses = new double[n + 1];
    sums = new double[n + 1];
    squares = new double[n + 1];
    for (int i = 0; i < n; i++) {
      double value = values[i] - shift;
      double weight = weights == null ? 1 : weights[i];
      masses[i + 1] = masses[i] + weight;
      sums[i + 1] = sums[i] + weight * value;
      squares[i + 1] = squares[i] + weight * value * value;
    }
  }

  static SortedValues of(float[] values, float[] weights) {
    int n = values.length;
    double total = 0;
    for (int i = 0; i < n; i++) {
      if (!Float.isFinite(values[i])) {
        throw new InputException(
            "the value " + values[i] + " cannot be clustered", "pass finite values");
      }
      if (weights != null) {
        if (!(weights[i] >= 0) || weights[i] == Float.POSITIVE_INFINITY) {
          throw new InputException(
              "the weight " + weights[i] + " of a value", "pass finite weights of 0 or more");
        }
        total += weights[i];
      }
    }
    double[] sorted = new double[n];
    // values that do not matter at all are clustered as if they mattered alike
    if (weights == null || total == 0) {
      for (int i = 0; i < n; i++) {
        sorted[i] = values[i];
      }
      Arrays.sort(sorted);
      return new SortedValues(sorted, null);
    }
    long[] keys = new long[n];
    for (int i = 0; i < n; i++) {
      int bits = Float.floatToIntBits(values[i] + 0f);
      int ordered = bits >= 0 ? bits : bits ^ Integer.MAX_VALUE;
      keys[i] = (long) ordered << Integer.SIZE | i;
    }
    Arrays.sort(keys);
    double[] matters = new double[n];
    // a weight of nothing would leave a cluster without a mean
    double least = total / n * 1e-12;
    for (int i = 0; i < n; i++) {
      int from = (int) keys[i];
      sorted[i] = values[from];
      matters[i] = Math.max(least, weights[from]);
    }
    return new SortedValues(sorted, matters);
  }

  int size() {
    return values.length;
  }

  double value(int i) {
    return values[i];
  }

  int distinct() {
    int distinct = 1;
    for (int i = 1; i < values.length; i++) {
      distinct += values[i] != values[i - 1] ? 1 : 0;
    }
    return distinct;
  }

  /** Cost of a cluster of the values {@code [from, to)}. */
  double cost(int from, int to) {
    double sum = sums[to] - sums[from];
    return Math.max(0, squares[to] - squares[from] - sum * sum / (masses[to] - masses[from]));
  }

  /** Mean of a cluster. */
  double mean(int from, int to) {
    if (values[from] == values[to - 1]) {
      return values[from];
    }
    // the shift would cost the last bits of small values, which a codebook must have
    double mean = shift + (sums[to] - sums[from]) / (masses[to] - masses[from]);
    return Math.clamp(mean, values[from], values[to - 1]);
  }

  /** Index of the first value above a limit. */
  int firstAbove(double limit) {
    int low = 0;
    int high = values.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (values[middle] <= limit) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
