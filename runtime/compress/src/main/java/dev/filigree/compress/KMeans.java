package dev.filigree.compress;

import dev.filigree.InputException;
import java.util.Arrays;

/**
 * Exact one-dimensional k-means by dynamic programming: the least possible sum of squared
 * distances, where Lloyd's iteration only finds a local one. With the values sorted, a cluster is
 * an interval, and D[j][m], the least cost of the first m values in j clusters, is the minimum over
 * i of D[j-1][i] + cost(i, m). The best i grows with m, so a row of D is filled by divide and
 * conquer in O(n log n) (Wang and Song, "Ckmeans.1d.dp", The R Journal 3/2, 2011; Grønlund et al.,
 * arXiv 1701.07204).
 */
public final class KMeans {
  private final double[] sums;
  private final double[] squares;

  /**
   * A clustering.
   *
   * @param centroids in ascending order, as many as there are distinct values if those are fewer
   *     than asked for
   * @param cost sum of squared distances of all values to their centroids
   */
  public record Clusters(float[] centroids, double cost) {}

  private KMeans(double[] sorted) {
    // a common shift keeps the differences of prefix sums exact enough when values lie far from
    // zero
    double shift = sorted[sorted.length / 2];
    sums = new double[sorted.length + 1];
    squares = new double[sorted.length + 1];
    for (int i = 0; i < sorted.length; i++) {
      double value = sorted[i] - shift;
      sums[i + 1] = sums[i] + value;
      squares[i + 1] = squares[i] + value * value;
    }
  }

  /**
   * Clusters values.
   *
   * @param values finite, at least one unless {@code k} is 0
   * @param k number of clusters, at most
   * @throws InputException if a value is not finite
   */
  public static Clusters exact(float[] values, int k) {
    if (values.length == 0 || k == 0) {
      return new Clusters(new float[0], 0);
    }
    double[] sorted = new double[values.length];
    int distinct = 1;
    for (int i = 0; i < sorted.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new InputException(
            "the value " + values[i] + " cannot be clustered", "pass finite values");
      }
      sorted[i] = values[i];
    }
    Arrays.sort(sorted);
    for (int i = 1; i < sorted.length; i++) {
      distinct += sorted[i] != sorted[i - 1] ? 1 : 0;
    }
    return new KMeans(sorted).solve(sorted, Math.min(k, distinct));
  }

  /** Cost of a cluster of the sorted values {@code [from, to)}. */
  private double cost(int from, int to) {
    double sum = sums[to] - sums[from];
    return Math.max(0, squares[to] - squares[from] - sum * sum / (to - from));
  }

  private Clusters solve(double[] sorted, int k) {
    int n = sorted.length;
    double[] previous = new double[n + 1];
    double[] current = new double[n + 1];
    int[][] starts = new int[k][];
    for (int m = 1; m <= n; m++) {
      previous[m] = cost(0, m);
    }
    for (int j = 1; j < k; j++) {
      starts[j] = new int[n + 1];
      fill(previous, current, starts[j], j + 1, n, j, n - 1);
      double[] swap = previous;
      previous = current;
      current = swap;
    }
    float[] centroids = new float[k];
    int end = n;
    for (int j = k - 1; j >= 0; j--) {
      int start = j == 0 ? 0 : starts[j][end];
      centroids[j] = (float) mean(sorted, start, end);
      end = start;
    }
    return new Clusters(centroids, previous[n]);
  }

  private static double mean(double[] sorted, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += sorted[i];
    }
    return sum / (to - from);
  }

  /**
   * Fills {@code current[low..high]}, whose best starts lie in {@code [leastStart, greatestStart]}:
   * the middle first, which bounds the starts of both halves.
   */
  private void fill(
      double[] previous,
      double[] current,
      int[] starts,
      int low,
      int high,
      int leastStart,
      int greatestStart) {
    if (low > high) {
      return;
    }
    int middle = (low + high) >>> 1;
    double best = Double.POSITIVE_INFINITY;
    int bestStart = leastStart;
    int last = Math.min(greatestStart, middle - 1);
    for (int start = leastStart; start <= last; start++) {
      double cost = previous[start] + cost(start, middle);
      if (cost < best) {
        best = cost;
        bestStart = start;
      }
    }
    current[middle] = best;
    starts[middle] = bestStart;
    fill(previous, current, starts, low, middle - 1, leastStart, bestStart);
    fill(previous, current, starts, middle + 1, high, bestStart, greatestStart);
  }

  /** Index of the centroid nearest to a value; of two equally near the lower. */
  public static int nearest(float[] centroids, float value) {
    int found = Arrays.binarySearch(centroids, value);
    if (found >= 0) {
      return found;
    }
    int above = -found - 1;
    if (above == 0) {
      return 0;
    }
    if (above == centroids.length) {
      return above - 1;
    }
    return value - centroids[above - 1] <= centroids[above] - value ? above - 1 : above;
  }
}
