package dev.filigree.compress.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class MomentsTest {
  private static final Kernels SCALAR = KernelSets.open(KernelSets.SCALAR);

  @Seeded(20)
  void sumsAreThoseOfAllTokensHoweverTheyCome(Samples samples) {
    int inputs = samples.between(1, 150);
    int tokens = samples.between(2, 1200);
    float[] x = samples.normal(tokens * inputs);
    try (WorkerPool one = new WorkerPool(1, "one");
        WorkerPool three = new WorkerPool(3, "three")) {
      Moments whole = new Moments(inputs, true, SCALAR, one);
      whole.add(x, tokens);
      Moments parts = new Moments(inputs, true, SCALAR, three);
      for (int from = 0; from < tokens; ) {
        int count = Math.min(tokens - from, samples.between(1, 400));
        parts.add(Arrays.copyOfRange(x, from * inputs, (from + count) * inputs), count);
        from += count;
      }
      assertEquals(tokens, parts.tokens());
      for (int i = 0; i < inputs; i++) {
        // bit by bit: neither threads nor batches may change a result
        assertArrayEquals(whole.second()[i], parts.second()[i]);
      }
      for (int i = 0; i < inputs; i += samples.between(1, 20)) {
        for (int j = 0; j < inputs; j += samples.between(1, 20)) {
          double expected = 0;
          for (int t = 0; t < tokens; t++) {
            expected += (double) x[t * inputs + i] * x[t * inputs + j];
          }
          assertEquals(expected, whole.second()[i][j], 1e-4 * tokens, i + ", " + j);
        }
      }
    }
  }

  @Seeded(20)
  void theEnergyOfOutputsIsTheSumOfTheirSquares(Samples samples) {
    try (WorkerPool pool = new WorkerPool(1, "test")) {
      int tokens = samples.chance(0.5) ? 60 : 512; // as many as are multiplied at a time, too
      Problem problem = new Problem(samples, 3, samples.between(1, 40), tokens, pool);
      double expected = 0;
      for (float y : problem.outputs(problem.weights, null)) {
        expected += (double) y * y;
      }
      assertEquals(expected, problem.moments.outputEnergy(problem.weights), 1e-4 * expected);
    }
  }

  @Test
  void inputsThatAreAlwaysZeroAreCounted() {
    try (WorkerPool pool = new WorkerPool(1, "test")) {
      Moments moments = new Moments(3, false, SCALAR, pool);
      moments.add(new float[] {1, 0, 0, 2, 0, 1e-20f}, 2);
      assertEquals(1, moments.deadInputs());
      assertEquals(1.5, moments.mean(0));
      assertEquals(2.5, moments.meanSquare(0));
    }
  }
}
