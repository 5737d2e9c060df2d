package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.InputException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class KMeansTest {
  @Seeded(200)
  void theCostIsTheLeastOfAllPartitions(Samples samples) {
    float[] values = samples.normal(samples.between(1, 12));
    if (samples.chance(0.5)) {
      for (int i = 0; i < values.length; i++) {
        values[i] = Math.round(2 * values[i]);
      }
    }
    if (samples.chance(0.3)) {
      for (int i = 0; i < values.length; i++) {
        values[i] += 1000;
      }
    }
    int k = samples.between(1, 5);
    KMeans.Clusters clusters = KMeans.exact(values, k);
    float[] sorted = values.clone();
    Arrays.sort(sorted);
    double least = bruteForce(sorted, 0, k);
    assertEquals(least, clusters.cost(), 1e-9 + 1e-7 * least);
    // centroids are floats, so their cost may differ in that rounding
    assertEquals(least, cost(values, clusters.centroids()), 1e-6 + 1e-6 * least);
    assertEquals(Math.min(k, distinct(sorted)), clusters.centroids().length);
  }

  /** The least cost of {@code sorted[from..]} in at most k clusters, by trying every division. */
  private static double bruteForce(float[] sorted, int from, int k) {
    if (from == sorted.length) {
      return 0;
    }
    if (k == 0) {
      return Double.POSITIVE_INFINITY;
    }
    double least = Double.POSITIVE_INFINITY;
    for (int to = from + 1; to <= sorted.length; to++) {
      double mean = 0;
      for (int i = from; i < to; i++) {
        mean += (double) sorted[i] / (to - from);
      }
      double own = 0;
      for (int i = from; i < to; i++) {
        own += (sorted[i] - mean) * (sorted[i] - mean);
      }
      least = Math.min(least, own + bruteForce(sorted, to, k - 1));
    }
    return least;
  }

  @Seeded(20)
  void noStartOfLloydsIterationFindsLess(Samples samples) {
    float[] values = samples.normal(2_000);
    int k = 1 << samples.between(1, 5);
    KMeans.Clusters clusters = KMeans.exact(values, k);
    double exact = cost(values, clusters.centroids());
    for (int start = 0; start < 10; start++) {
      double[] centroids = new double[k];
      for (int c = 0; c < k; c++) {
        centroids[c] = start == 0 ? -3 + 6.0 * c / (k - 1) : values[samples.between(0, 1999)];
      }
      double lloyd = lloyd(values, centroids);
      assertTrue(exact <= lloyd * (1 + 1e-6), exact + " is more than Lloyd's " + lloyd);
    }
  }

  @Seeded(20)
  void everyNamedStartCostsAtLeastTheOptimum(Samples samples) {
    float[] values = samples.normal(samples.between(1, 1500));
    float[] weights = null;
    if (samples.chance(0.5)) {
      weights = samples.normal(values.length);
      for (int i = 0; i < weights.length; i++) {
        weights[i] *= weights[i];
      }
    }
    int k = samples.between(1, 40);
    double optimum = KMeans.exact(values, weights, k).cost();
    for (Lloyd.Start start : Lloyd.Start.values()) {
      KMeans.Clusters once = Lloyd.cluster(values, weights, k, start, 1, 7);
      KMeans.Clusters often = Lloyd.cluster(values, weights, k, start, 5, 7);
      double tolerance = 1e-9 * (1 + optimum);
      assertTrue(once.cost() >= optimum - tolerance, start + ": " + once.cost());
      assertTrue(often.cost() <= once.cost() + tolerance, start + " with restarts");
      assertTrue(once.centroids().length <= k);
      assertEquals(
          once.cost(), Lloyd.cluster(values, weights, k, start, 1, 7).cost(), "the same seed");
    }
  }

  @Seeded(100)
  void aWeightCountsAsSoManyEqualValues(Samples samples) {
    float[] values = samples.normal(samples.between(1, 9));
    float[] weights = new float[values.length];
    float[] repeated = new float[9 * values.length];
    int count = 0;
    for (int i = 0; i < values.length; i++) {
      weights[i] = samples.between(1, 9);
      for (int j = 0; j < weights[i]; j++) {
        repeated[count++] = values[i];
      }
    }
    int k = samples.between(1, 4);
    KMeans.Clusters weighted = KMeans.exact(values, weights, k);
    KMeans.Clusters plain = KMeans.exact(Arrays.copyOf(repeated, count), k);
    assertEquals(plain.cost(), weighted.cost(), 1e-9 + 1e-9 * plain.cost());
    assertArrayEquals(plain.centroids(), weighted.centroids(), 1e-5f);
  }

  @Seeded(30)
  void costsOfAllNumbersOfClustersComeAtOnceAndFall(Samples samples) {
    float[] values = samples.normal(samples.between(1, 200));
    double[] costs = KMeans.costs(values, null, 20);
    for (int k = 1; k <= 20; k++) {
      double single = KMeans.exact(values, k).cost();
      assertEquals(single, costs[k - 1], 1e-9 * (1 + single), k + " clusters");
      assertTrue(k == 1 || costs[k - 1] <= costs[k - 2] + 1e-12);
    }
  }

  @Test
  void theFewestClustersWithinAnErrorAreChosen() {
    float[] values = {-1.1f, -1, -0.9f, 1, 1.1f, 2, 2.1f};
    double energy = 0;
    for (float value : values) {
      energy += value * value;
    }
    int chosen = KMeans.clusters(values, null, 0.1, 7);
    double[] costs = KMeans.costs(values, null, 7);
    assertTrue(costs[chosen - 1] <= 0.01 * energy && costs[chosen - 2] > 0.01 * energy);
    assertEquals(7, KMeans.clusters(values, null, 0, 7), "none is exact but all of them");
    assertEquals(1, KMeans.clusters(values, null, 2, 7));
  }

  @Test
  void weightsThatSayNothingAreIgnoredAndImpossibleOnesRefused() {
    float[] values = {1, 2, 10};
    assertArrayEquals(
        KMeans.exact(values, 2).centroids(), KMeans.exact(values, new float[3], 2).centroids());
    // a value of no weight still has a code near it
    assertArrayEquals(
        new float[] {1, 10}, KMeans.exact(values, new float[] {1, 0, 1}, 2).centroids(), 1e-5f);
    for (float bad : new float[] {-1, Float.NaN, Float.POSITIVE_INFINITY}) {
      assertThrows(InputException.class, () -> KMeans.exact(values, new float[] {1, bad, 1}, 2));
    }
  }

  private static double lloyd(float[] values, double[] centroids) {
    double cost = 0;
    for (int iteration = 0; iteration < 60; iteration++) {
      double[] sums = new double[centroids.length];
      int[] counts = new int[centroids.length];
      cost = 0;
      for (float value : values) {
        int best = 0;
        for (int c = 1; c < centroids.length; c++) {
          if (Math.abs(value - centroids[c]) < Math.abs(value - centroids[best])) {
            best = c;
          }
        }
        sums[best] += value;
        counts[best]++;
        cost += (value - centroids[best]) * (value - centroids[best]);
      }
      for (int c = 0; c < centroids.length; c++) {
        centroids[c] = counts[c] == 0 ? centroids[c] : sums[c] / counts[c];
      }
    }
    return cost;
  }

  private static double cost(float[] values, float[] centroids) {
    double cost = 0;
    for (float value : values) {
      double distance = value - centroids[KMeans.nearest(centroids, value)];
      cost += distance * distance;
    }
    return cost;
  }

  private static int distinct(float[] sorted) {
    int distinct = 1;
    for (int i = 1; i < sorted.length; i++) {
      distinct += sorted[i] != sorted[i - 1] ? 1 : 0;
    }
    return distinct;
  }

  @Test
  void fewerDistinctValuesThanClustersAreAllKept() {
    KMeans.Clusters clusters = KMeans.exact(new float[] {2, -1, 2, 2, -1, 5}, 16);
    assertArrayEquals(new float[] {-1, 2, 5}, clusters.centroids());
    assertEquals(0, clusters.cost());
    assertArrayEquals(new float[] {0.25f}, KMeans.exact(new float[] {0.25f}, 4).centroids());
    assertArrayEquals(new float[0], KMeans.exact(new float[0], 4).centroids());
    // negative zero is the same value as zero
    assertEquals(1, KMeans.exact(new float[] {0f, -0f, 0f}, 2).centroids().length);
  }

  @Test
  void repeatedValuesWeighMore() {
    assertArrayEquals(
        new float[] {0, 10}, KMeans.exact(new float[] {0, 0, 0, 0, 10, 10}, 2).centroids());
    assertArrayEquals(new float[] {2.5f}, KMeans.exact(new float[] {0, 0, 0, 10}, 1).centroids());
  }

  @Test
  void valuesFarFromZeroAreClusteredAsWellAsValuesNearIt() {
    float[] values = {10_000.25f, 10_000.5f, 10_007f, 10_007.25f, 10_001f};
    float[] centroids = KMeans.exact(values, 2).centroids();
    assertArrayEquals(new float[] {10_000.583f, 10_007.125f}, centroids, 1e-3f);
  }

  @Test
  void theNearestCentroidIsFoundAndOfTwoTheLower() {
    float[] centroids = {-1, 0, 2};
    assertEquals(0, KMeans.nearest(centroids, -7));
    assertEquals(0, KMeans.nearest(centroids, -0.5f));
    assertEquals(1, KMeans.nearest(centroids, -0.4f));
    assertEquals(1, KMeans.nearest(centroids, -0f));
    assertEquals(1, KMeans.nearest(centroids, 1));
    assertEquals(2, KMeans.nearest(centroids, 2));
    assertEquals(2, KMeans.nearest(centroids, 1e30f));
  }

  @Test
  void valuesThatAreNotFiniteAreRefused() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      InputException refused =
          assertThrows(InputException.class, () -> KMeans.exact(new float[] {1, bad}, 2));
      assertEquals("the value " + bad + " cannot be clustered", refused.problem());
    }
  }
}
