package dev.filigree.benchmarks;

import java.util.Arrays;

/** Percentiles of measurements by the nearest rank. */
final class Percentiles {
  private Percentiles() {}

  /** The middle one. */
  static double median(double[] values) {
    double[] sorted = sorted(values);
    return sorted[sorted.length / 2];
  }

  /** The least value that {@code percent} of all do not exceed. */
  static double percentile(double[] values, double percent) {
    double[] sorted = sorted(values);
    return sorted[Math.max(0, (int) Math.ceil(percent / 100 * sorted.length) - 1)];
  }

  private static double[] sorted(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted;
  }
}
