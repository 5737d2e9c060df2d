package dev.filigree.compress.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.plan.WorkerPool;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class ChannelPermutationTest {
  private static final WorkerPool POOL = new WorkerPool(2, "test");

  @AfterAll
  static void close() {
    POOL.close();
  }

  private static float[] magnitudes(Samples samples, int count) {
    float[] scores = samples.normal(count);
    for (int i = 0; i < count; i++) {
      scores[i] = Math.abs(scores[i]);
    }
    return scores;
  }

  private static int[] identity(int columns) {
    return IntStream.range(0, columns).toArray();
  }

  @Seeded(30)
  void anOrderIsFoundThatKeepsMoreThanTheFirst(Samples samples) {
    int of = samples.between(2, 8);
    int keep = samples.between(1, of - 1);
    int rows = samples.between(1, 20);
    int columns = samples.between(1, 50);
    float[] scores = magnitudes(samples, rows * columns);
    int[] order = ChannelPermutation.search(scores, rows, columns, keep, of, 3, 1, POOL);
    int[] sorted = order.clone();
    Arrays.sort(sorted);
    assertArrayEquals(identity(columns), sorted);
    for (int tail = columns / of * of; tail < columns; tail++) {
      assertEquals(tail, order[tail]);
    }
    double before = ChannelPermutation.kept(scores, rows, columns, keep, of, identity(columns));
    double after = ChannelPermutation.kept(scores, rows, columns, keep, of, order);
    // scores are rounded to levels
    assertTrue(after >= before * (1 - 1e-3), before + " to " + after);
  }

  /** Four large columns in one group and small ones elsewhere: the best order is known. */
  @Test
  void largeInputsAreSpreadOverTheGroups() {
    int rows = 6;
    int columns = 8;
    float[] scores = new float[rows * columns];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        scores[r * columns + c] = c < 4 ? 10 + c : 1;
      }
    }
    int[] order = ChannelPermutation.search(scores, rows, columns, 2, 4, 2, 1, POOL);
    assertEquals(
        rows * (10 + 11 + 12 + 13), ChannelPermutation.kept(scores, rows, columns, 2, 4, order));
    assertEquals(
        rows * (12 + 13 + 1 + 1),
        ChannelPermutation.kept(scores, rows, columns, 2, 4, identity(columns)));
  }

  /** The best of all ways to put eight columns into two groups, found by trying them. */
  @Seeded(20)
  void smallProblemsAreSolvedNearlyAsWellAsByTryingAll(Samples samples) {
    int rows = samples.between(2, 6);
    float[] scores = magnitudes(samples, rows * 8);
    double best = 0;
    for (int set = 0; set < 256; set++) {
      if (Integer.bitCount(set) == 4) {
        int chosen = set;
        int[] order =
            IntStream.concat(
                    IntStream.range(0, 8).filter(i -> (chosen >> i & 1) != 0),
                    IntStream.range(0, 8).filter(i -> (chosen >> i & 1) == 0))
                .toArray();
        best = Math.max(best, ChannelPermutation.kept(scores, rows, 8, 2, 4, order));
      }
    }
    int[] found = ChannelPermutation.search(scores, rows, 8, 2, 4, 20, 1, POOL);
    double kept = ChannelPermutation.kept(scores, rows, 8, 2, 4, found);
    assertTrue(kept > 0.98 * best, kept + " of " + best);
  }

  @Test
  void theOrderDoesNotDependOnTheNumberOfThreads() {
    float[] scores = magnitudes(new Samples(5), 40 * 64);
    int[] two = ChannelPermutation.search(scores, 40, 64, 2, 4, 5, 1, POOL);
    try (WorkerPool alone = new WorkerPool(1, "test")) {
      assertArrayEquals(two, ChannelPermutation.search(scores, 40, 64, 2, 4, 5, 1, alone));
    }
  }
}
