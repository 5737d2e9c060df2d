package dev.filigree.compress;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Lloyd's iteration from a named start, as Deep Compression has it (Han et al., arXiv 1510.00149,
 * section 3.2). Kept beside the exact solution so that what a start costs can be seen: it ends in a
 * local optimum.
 */
public final class Lloyd {
  private static final int MOST_ROUNDS = 1000;

  private Lloyd() {}

  /** Where centroids start. */
  public enum Start {
    /** Evenly spaced between the least and the greatest value. */
    LINEAR,
    /** At evenly spaced quantiles. */
    DENSITY,
    /** At random values (Forgy). */
    RANDOM,
    /** At random values, far ones more likely (k-means++). */
    PLUS_PLUS
  }

  /**
   * Clusters values.
   *
   * @param weights how much each value matters, or null
   * @param k clusters at most; one that loses its values is left out
   * @param restarts the best of so many, for starts that are random
   */
  public static KMeans.Clusters cluster(
      float[] values, float[] weights, int k, Start start, int restarts, long seed) {
    if (values.length == 0 || k == 0) {
      return new KMeans.Clusters(new float[0], 0);
    }
    SortedValues sorted = SortedValues.of(values, weights);
    SplittableRandom random = new SplittableRandom(seed);
    boolean isRandom = start == Start.RANDOM || start == Start.PLUS_PLUS;
    KMeans.Clusters best = null;
    for (int i = 0; i < (isRandom ? Math.max(1, restarts) : 1); i++) {
      KMeans.Clusters found = iterate(sorted, start(sorted, k, start, random));
      if (best == null || found.cost() < best.cost()) {
        best = found;
      }
    }
    return best;
  }

  private static double[] start(SortedValues sorted, int k, Start start, SplittableRandom random) {
    int n = sorted.size();
    double[] centroids = new double[k];
    switch (start) {
      case LINEAR -> {
        double least = sorted.value(0);
        double range = sorted.value(n - 1) - least;
        Arrays.setAll(centroids, i -> k == 1 ? least + range / 2 : least + range * i / (k - 1));
      }
      case DENSITY -> Arrays.setAll(centroids, i -> sorted.value((int) ((i + 0.5) * n / k)));
      case RANDOM -> Arrays.setAll(centroids, i -> sorted.value(random.nextInt(n)));
      case PLUS_PLUS -> {
        double[] distances = new double[n];
        Arrays.fill(distances, Double.POSITIVE_INFINITY);
        int chosen = random.nextInt(n);
        for (int c = 0; c < k; c++) {
          centroids[c] = sorted.value(chosen);
          double total = 0;
          for (int i = 0; i < n; i++) {
            double distance = sorted.value(i) - centroids[c];
            distances[i] = Math.min(distances[i], distance * distance);
            total += distances[i];
          }
          double target = random.nextDouble() * total;
          chosen = 0;
          for (double sum = distances[0]; sum < target && chosen < n - 1; ) {
            sum += distances[++chosen];
          }
        }
      }
    }
    Arrays.sort(centroids);
    return centroids;
  }

  private static KMeans.Clusters iterate(SortedValues sorted, double[] centroids) {
    int[] ends = new int[0];
    for (int round = 0; round < MOST_ROUNDS; round++) {
      int[] next = new int[centroids.length];
      for (int c = 0; c < next.length; c++) {
        next[c] =
            c == next.length - 1
                ? sorted.size()
                : sorted.firstAbove((centroids[c] + centroids[c + 1]) / 2);
      }
      if (Arrays.equals(next, ends)) {
        break;
      }
      ends = next;
      int from = 0;
      int used = 0;
      double[] means = new double[centroids.length];
      int[] usedEnds = new int[centroids.length];
      for (int end : ends) {
        if (end > from) {
          means[used] = sorted.mean(from, end);
          usedEnds[used++] = end;
          from = end;
        }
      }
      centroids = Arrays.copyOf(means, used);
      ends = Arrays.copyOf(usedEnds, used);
    }
    float[] rounded = new float[centroids.length];
    double cost = 0;
    int from = 0;
    for (int c = 0; c < rounded.length; c++) {
      rounded[c] = (float) centroids[c];
      cost += sorted.cost(from, ends[c]);
      from = ends[c];
    }
    return new KMeans.Clusters(rounded, cost);
  }
}
