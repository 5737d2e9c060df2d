package dev.filigree.compress.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.compress.algebra.Rows;
import dev.filigree.plan.WorkerPool;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.Mask;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

class RefitTest {
  private static WorkerPool pool;

  @BeforeAll
  static void open() {
    pool = new WorkerPool(2, "test");
  }

  @AfterAll
  static void close() {
    pool.close();
  }

  @Seeded(30)
  void noRowIsWorseThanSurgeryLeftIt(Samples samples) {
    Problem problem = new Problem(samples, 6, samples.between(8, 60), 300, pool);
    double[] bias = new double[problem.rows];
    for (int r = 0; r < bias.length; r++) {
      bias[r] = samples.normal(1)[0];
    }
    float[] targets = problem.outputs(problem.weights, bias);
    double[][] w = problem.weights();
    Mask mask =
        Surgeon.of(problem.moments, 0.01, false, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    double[] before = problem.errors(targets, w, bias);
    double[][] fitted = Problem.copy(w);
    double[] newBias =
        new Refit(problem.moments, true, pool).fit(fitted, mask, problem.targets(targets));
    double[] after = problem.errors(targets, fitted, newBias);
    for (int r = 0; r < after.length; r++) {
      // f32 sums of the moments cost the last digits
      assertTrue(after[r] <= before[r] * (1 + 1e-4) + 1e-6, after[r] + " after " + before[r]);
      for (int i = 0; i < problem.inputs; i++) {
        assertTrue(mask.kept(r, i) || fitted[r][i] == 0, "what was dropped stays dropped");
      }
    }
  }

  @Seeded(20)
  void theResidualIsOrthogonalToEveryKeptInput(Samples samples) {
    Problem problem = new Problem(samples, 3, 20, 400, pool);
    float[] targets = problem.outputs(problem.weights, null);
    Mask mask = Mask.of(3, 20, (r, i) -> (r + i) % 3 != 0);
    double[][] w = new double[3][20];
    // fitted again from where it ended, so that the pull is towards the solution itself
    for (int round = 0; round < 60; round++) {
      new Refit(problem.moments, false, pool).fit(w, mask, problem.targets(targets));
    }
    for (int r = 0; r < 3; r++) {
      for (int i = 0; i < 20; i++) {
        double product = 0;
        double size = 0;
        for (int t = 0; t < problem.tokens; t++) {
          double y = 0;
          for (int j = 0; j < 20; j++) {
            y += w[r][j] * problem.x[t * 20 + j];
          }
          product += (targets[t * 3 + r] - y) * problem.x[t * 20 + i];
          size += Math.abs(targets[t * 3 + r] * problem.x[t * 20 + i]);
        }
        assertTrue(!mask.kept(r, i) || Math.abs(product) < 2e-3 * size, product + " of " + size);
      }
    }
  }

  @Seeded(20)
  void keepingEverythingReturnsTheWeightsThatMadeTheTargets(Samples samples) {
    Problem problem = new Problem(samples, 4, samples.between(1, 30), 500, pool);
    double[] bias = {1, -2, 3, 0.5};
    float[] targets = problem.outputs(problem.weights, bias);
    double[][] w = problem.weights();
    double[] fitted = new Refit(problem.moments, true, pool).fit(w, null, problem.targets(targets));
    double[] errors = problem.errors(targets, w, fitted);
    for (int r = 0; r < 4; r++) {
      assertEquals(0, errors[r], 0.02 * problem.tokens, "row " + r);
    }
  }

  /** Before anything is dropped as well, by what then serves the fit of what stays. */
  @Seeded(2)
  void manyInputsKeepTheWeightsThatMadeTheTargets(Samples samples) {
    int inputs = Refit.MANY_INPUTS + samples.between(0, 9);
    Problem problem = new Problem(samples, 3, inputs, 2 * inputs, pool);
    float[] targets = problem.outputs(problem.weights, new double[] {1, -2, 3});
    Outputs outputs = problem.targets(targets);
    Mask half = Mask.of(3, inputs, (row, column) -> column % 2 == 0);
    try (Refit refit = new Refit(problem.moments, true, pool)) {
      for (Mask mask : Arrays.asList(null, half)) {
        double[][] w = new double[3][inputs];
        double[] biases = refit.fit(w, mask, outputs);
        double[][] singly = new double[3][inputs];
        double[] singleBiases = new double[3];
        Mask kept = mask == null ? Mask.of(3, inputs, (row, column) -> true) : mask;
        refit.fitSingly(singly, kept, outputs, refit.pull(), new boolean[3], singleBiases);
        double[] losses = problem.errors(targets, w, biases);
        double[] least = problem.errors(targets, singly, singleBiases);
        for (int r = 0; r < 3; r++) {
          // both are drawn to where they were, at zero
          losses[r] += refit.pull() * Rows.dot(w[r], w[r], inputs);
          least[r] += refit.pull() * Rows.dot(singly[r], singly[r], inputs);
          assertEquals(least[r], losses[r], 2e-3 * least[r], "row " + r);
        }
      }
    }
  }

  /** Exactness would take hundreds of steps there, and buy nothing. */
  @Seeded(3)
  void fewTokensAreFittedInAFewSteps(Samples samples) {
    int inputs = Refit.MANY_INPUTS + samples.between(0, 9);
    Problem problem = new Problem(samples, 3, inputs, samples.between(20, inputs - 1), pool);
    double[] bias = {1, -2, 3};
    float[] targets = problem.outputs(problem.weights, bias);
    double[][] w = problem.weights();
    Mask mask =
        Surgeon.of(problem.moments, 0.01, false, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    double[] before = problem.errors(targets, w, bias);
    double[][] fitted = Problem.copy(w);
    try (Refit refit = new Refit(problem.moments, true, pool)) {
      double[] newBias = refit.fit(fitted, mask, problem.targets(targets));
      double[] after = problem.errors(targets, fitted, newBias);
      for (int r = 0; r < 3; r++) {
        assertTrue(after[r] < 0.5 * before[r], "row " + r + ": " + after[r] + " of " + before[r]);
        for (int i = 0; i < inputs; i++) {
          assertTrue(mask.kept(r, i) || fitted[r][i] == 0, "what was dropped stays dropped");
        }
      }
    }
  }

  /** Layers of many inputs go another way, to the same place. */
  @Seeded(3)
  void manyInputsAreFittedAsFewAre(Samples samples) {
    int inputs = Refit.MANY_INPUTS + samples.between(0, 9);
    Problem problem = new Problem(samples, 3, inputs, 2 * inputs, pool);
    double[] bias = {1, -2, 3};
    float[] targets = problem.outputs(problem.weights, bias);
    double[][] w = problem.weights();
    Mask mask =
        Surgeon.of(problem.moments, 0.01, false, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    double[][] singly = Problem.copy(w);
    Refit refit = new Refit(problem.moments, true, pool);
    Outputs outputs = problem.targets(targets);
    double[] biases = new double[3];
    refit.fitSingly(singly, mask, outputs, refit.pull(), new boolean[3], biases);
    double[][] whole = Problem.copy(w);
    double[] wholeBiases = refit.fit(whole, mask, outputs);
    refit.close();
    double[] errors = problem.errors(targets, whole, wholeBiases);
    double[] least = problem.errors(targets, singly, biases);
    for (int r = 0; r < 3; r++) {
      // a loss that is a millionth of the energy drowns in f32 products: both find it so well only
      assertEquals(least[r], errors[r], 1e-2 * least[r], "row " + r);
      for (int i = 0; i < inputs; i++) {
        assertTrue(mask.kept(r, i) || whole[r][i] == 0, "what was dropped stays dropped");
      }
    }
  }
}
