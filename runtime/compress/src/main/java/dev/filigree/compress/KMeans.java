package dev.filigree.compress;

import dev.filigree.InputException;
import java.util.Arrays;

/**
 * Exact one-dimensional k-means by dynamic programming: the least possible sum of squared
 * distances, where Lloyd's iteration only finds a local one. With the values sorted, a cluster is
 * an interval, and D[j][m], the least cost of the first m values in j clusters, is the minimum over
 * i of D[j-1][i] + cost(i, m). The best i grows with m and with j, so a row of D is filled by
 * divide and conquer in O(n log n) (Wang and Song, "Ckmeans.1d.dp", The R Journal 3/2, 2011;
 * Grønlund et al., arXiv 1701.07204). Every value may have a weight.
 */
public final class KMeans {
  private final SortedValues sorted;

  /**
   * A clustering.
   *
   * @param centroids in ascending order, as many as there are distinct values if those are fewer
   *     than asked for
   * @param cost sum of squared distances of all values to their centroids, times their weights
   */
  public record Clusters(float[] centroids, double cost) {}

  private KMeans(SortedValues sorted) {
    this.sorted = sorted;
  }

  /**
   * Clusters values.
   *
   * @param values finite, at least one unless {@code k} is 0
   * @param k number of clusters, at most
   * @throws InputException if a value is not finite
   */
  public static Clusters exact(float[] values, int k) {
    return exact(values, null, k);
  }

  /**
   * Clusters weighted values.
   *
   * @param weights how much each value matters, finite and not negative; null if all the same
   * @throws InputException if a value or a weight is not finite
   */
  public static Clusters exact(float[] values, float[] weights, int k) {
    if (values.length == 0 || k == 0) {
      return new Clusters(new float[0], 0);
    }
    SortedValues sorted = SortedValues.of(values, weights);
    return new KMeans(sorted).solve(Math.min(k, sorted.distinct()), null);
  }

  /**
   * The least cost for every number of clusters up to k, in one go: what a choice of k is made
   * from.
   *
   * @return {@code costs[j]} for j + 1 clusters
   */
  public static double[] costs(float[] values, float[] weights, int k) {
    double[] costs = new double[k];
    if (values.length > 0) {
      SortedValues sorted = SortedValues.of(values, weights);
      new KMeans(sorted).solve(Math.min(k, sorted.distinct()), costs);
    }
    return costs;
  }

  /**
   * The least number of clusters whose root mean square error is at most a fraction of that of the
   * values themselves.
   *
   * @param error fraction, for example 0.05
   * @param most clusters to try
   * @return {@code most} if none is good enough
   */
  public static int clusters(float[] values, float[] weights, double error, int most) {
    double energy = 0;
    for (int i = 0; i < values.length; i++) {
      energy += (weights == null ? 1.0 : weights[i]) * values[i] * values[i];
    }
    double[] costs = costs(values, weights, most);
    for (int k = 1; k < most; k++) {
      if (costs[k - 1] <= error * error * energy) {
        return k;
      }
    }
    return most;
  }

  private Clusters solve(int k, double[] costs) {
    int n = sorted.size();
    double[] previous = new double[n + 1];
    double[] current = new double[n + 1];
    int[][] starts = new int[k][];
    for (int m = 1; m <= n; m++) {
      previous[m] = sorted.cost(0, m);
    }
    record(costs, 0, previous[n]);
    int[] earlier = new int[n + 1];
    for (int j = 1; j < k; j++) {
      starts[j] = new int[n + 1];
      // of the last row only the end is needed, unless it is not the last
      int low = j == k - 1 ? n : j + 1;
      fill(previous, current, starts[j], earlier, low, n, j, n - 1);
      earlier = starts[j];
      double[] swap = previous;
      previous = current;
      current = swap;
      record(costs, j, previous[n]);
    }
    float[] centroids = new float[k];
    int end = n;
    for (int j = k - 1; j >= 0; j--) {
      int start = j == 0 ? 0 : starts[j][end];
      centroids[j] = (float) sorted.mean(start, end);
      end = start;
    }
    return new Clusters(centroids, previous[n]);
  }

  private static void record(double[] costs, int at, double cost) {
    if (costs != null) {
      // more clusters than distinct values cost nothing either
      Arrays.fill(costs, at, costs.length, cost);
    }
  }

  /**
   * Fills {@code current[low..high]}, whose best starts lie in {@code [leastStart, greatestStart]}:
   * the middle first, which bounds the starts of both halves. With one cluster fewer the best start
   * was no later.
   */
  private void fill(
      double[] previous,
      double[] current,
      int[] starts,
      int[] earlier,
      int low,
      int high,
      int leastStart,
      int greatestStart) {
    if (low > high) {
      return;
    }
    int middle = (low + high) >>> 1;
    double best = Double.POSITIVE_INFINITY;
    int first = Math.max(leastStart, earlier[middle]);
    int bestStart = first;
    int last = Math.min(greatestStart, middle - 1);
    for (int start = first; start <= last; start++) {
      double cost = previous[start] + sorted.cost(start, middle);
      if (cost < best) {
        best = cost;
        bestStart = start;
      }
    }
    current[middle] = best;
    starts[middle] = bestStart;
    fill(previous, current, starts, earlier, low, middle - 1, leastStart, bestStart);
    fill(previous, current, starts, earlier, middle + 1, high, bestStart, greatestStart);
  }

  /** Index of the centroid nearest to a value; of two equally near the lower. */
  public static int nearest(float[] centroids, float value) {
    return nearest(centroids, 0, centroids.length, value);
  }

  /** The same among the centroids {@code [from, to)}. */
  static int nearest(float[] centroids, int from, int to, float value) {
    int found = Arrays.binarySearch(centroids, from, to, value);
    if (found >= 0) {
      return found;
    }
    int above = -found - 1;
    if (above == from) {
      return from;
    }
    if (above == to) {
      return above - 1;
    }
    return value - centroids[above - 1] <= centroids[above] - value ? above - 1 : above;
  }
}
