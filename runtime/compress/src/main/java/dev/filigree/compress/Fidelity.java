package dev.filigree.compress;

import dev.filigree.InputException;
import java.util.Arrays;

/**
 * How close the outputs of a compressed model are to those of the original.
 *
 * @param meanCosine mean over the samples of the cosine between both outputs
 * @param minCosine the worst of them
 * @param lowCosine their 5th percentile
 * @param spearman rank correlation of the similarities between all pairs of samples; NaN for fewer
 *     than three samples, and where all pairs are alike
 * @param topOverlap share of the ten nearest other samples that stay among the ten nearest; NaN
 *     where there are no more than ten others, which all stay
 */
public record Fidelity(
    double meanCosine, double minCosine, double lowCosine, double spearman, double topOverlap) {
  /** Neighbours compared. */
  private static final int NEIGHBOURS = 10;

  private static final double LOW = 0.05;

  /**
   * Compares outputs.
   *
   * @param original {@code [samples][features]}
   * @param compressed of the same shape
   */
  public static Fidelity of(float[][] original, float[][] compressed) {
    int n = original.length;
    if (n == 0 || compressed.length != n) {
      throw new InputException(
          n + " and " + compressed.length + " samples cannot be compared",
          "run both models on the same samples, at least one");
    }
    double[] cosines = new double[n];
    for (int i = 0; i < n; i++) {
      cosines[i] = cosine(original[i], compressed[i]);
    }
    double mean = Arrays.stream(cosines).average().orElseThrow();
    Arrays.sort(cosines);
    double[][] before = similarities(original);
    double[][] after = similarities(compressed);
    return new Fidelity(
        mean,
        cosines[0],
        cosines[(int) (LOW * n)],
        n < 3 ? Double.NaN : spearman(pairs(before), pairs(after)),
        overlap(before, after));
  }

  /** Cosine of two vectors; 1 for two zeros, 0 for one, NaN if a number is not finite. */
  static double cosine(float[] a, float[] b) {
    double product = 0;
    double normA = 0;
    double normB = 0;
    for (int i = 0; i < a.length; i++) {
      product += (double) a[i] * b[i];
      normA += (double) a[i] * a[i];
      normB += (double) b[i] * b[i];
    }
    if (normA == 0 || normB == 0) {
      return normA == normB ? 1 : 0;
    }
    return product / Math.sqrt(normA * normB);
  }

  private static double[][] similarities(float[][] vectors) {
    double[][] similarities = new double[vectors.length][vectors.length];
    for (int i = 0; i < vectors.length; i++) {
      for (int j = i; j < vectors.length; j++) {
        similarities[i][j] = cosine(vectors[i], vectors[j]);
        similarities[j][i] = similarities[i][j];
      }
    }
    return similarities;
  }

  private static double[] pairs(double[][] similarities) {
    int n = similarities.length;
    double[] pairs = new double[n * (n - 1) / 2];
    int at = 0;
    for (int i = 0; i < n; i++) {
      for (int j = i + 1; j < n; j++) {
        pairs[at++] = similarities[i][j];
      }
    }
    return pairs;
  }

  /**
   * Spearman's rank correlation; equal values share the mean of their ranks. NaN if all of one side
   * are equal.
   */
  public static double spearman(double[] a, double[] b) {
    double[] ranksA = ranks(a);
    double[] ranksB = ranks(b);
    double mean = (a.length - 1) / 2.0;
    double product = 0;
    double squaresA = 0;
    double squaresB = 0;
    for (int i = 0; i < a.length; i++) {
      product += (ranksA[i] - mean) * (ranksB[i] - mean);
      squaresA += (ranksA[i] - mean) * (ranksA[i] - mean);
      squaresB += (ranksB[i] - mean) * (ranksB[i] - mean);
    }
    // without an order there is nothing to agree with
    return squaresA == 0 || squaresB == 0 ? Double.NaN : product / Math.sqrt(squaresA * squaresB);
  }

  private static double[] ranks(double[] values) {
    Integer[] order = new Integer[values.length];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, (i, j) -> Double.compare(values[i], values[j]));
    double[] ranks = new double[values.length];
    for (int from = 0; from < order.length; ) {
      int to = from + 1;
      while (to < order.length && values[order[to]] == values[order[from]]) {
        to++;
      }
      for (int i = from; i < to; i++) {
        ranks[order[i]] = (from + to - 1) / 2.0;
      }
      from = to;
    }
    return ranks;
  }

  private static double overlap(double[][] before, double[][] after) {
    int n = before.length;
    if (n - 1 <= NEIGHBOURS) {
      return Double.NaN;
    }
    long kept = 0;
    for (int i = 0; i < n; i++) {
      boolean[] was = nearest(before[i], i, NEIGHBOURS);
      boolean[] is = nearest(after[i], i, NEIGHBOURS);
      for (int j = 0; j < n; j++) {
        kept += was[j] && is[j] ? 1 : 0;
      }
    }
    return (double) kept / ((long) n * NEIGHBOURS);
  }

  private static boolean[] nearest(double[] similarities, int self, int count) {
    boolean[] nearest = new boolean[similarities.length];
    for (int found = 0; found < count; found++) {
      int best = -1;
      for (int j = 0; j < similarities.length; j++) {
        if (j != self && !nearest[j] && (best < 0 || similarities[j] > similarities[best])) {
          best = j;
        }
      }
      nearest[best] = true;
    }
    return nearest;
  }
}
