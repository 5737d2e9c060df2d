package dev.filigree.compress.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.Mask;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SurgeonTest {
  private static WorkerPool pool;

  @BeforeAll
  static void open() {
    pool = new WorkerPool(2, "test");
  }

  @AfterAll
  static void close() {
    pool.close();
  }

  /** The plain algorithm: after each column the exact inverse of what is left. */
  private static double[][] slow(Problem problem, double damping, int keep, int of) {
    int n = problem.inputs;
    double[][] w = problem.weights();
    double trace = 0;
    for (int i = 0; i < n; i++) {
      trace += problem.moments.second()[i][i];
    }
    double[][] h = Problem.copy(problem.moments.second());
    for (int i = 0; i < n; i++) {
      h[i][i] += damping * trace / n;
    }
    boolean[][] kept = new boolean[w.length][n];
    for (int i = 0; i < n; i++) {
      double[][] inverse = inverse(h, i);
      for (int r = 0; r < w.length; r++) {
        if (i % of == 0) {
          double[] scores = new double[Math.min(of, n - i)];
          for (int j = 0; j < scores.length; j++) {
            // the diagonal that column i + j will have when its turn comes
            double d = inverse(h, i + j)[0][0];
            scores[j] = w[r][i + j] * w[r][i + j] / d;
          }
          boolean[] best = Surgeon.best(scores, Math.min(keep, scores.length));
          System.arraycopy(best, 0, kept[r], i, best.length);
        }
        double error = (kept[r][i] ? 0 : w[r][i]) / inverse[0][0];
        for (int j = i; j < n; j++) {
          w[r][j] -= error * inverse[0][j - i];
        }
        if (!kept[r][i]) {
          w[r][i] = 0;
        }
      }
    }
    return w;
  }

  /** Inverse of the lower right part that begins at an index, by Gauss and Jordan. */
  private static double[][] inverse(double[][] h, int from) {
    int n = h.length - from;
    double[][] a = new double[n][2 * n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(h[from + i], from, a[i], 0, n);
      a[i][n + i] = 1;
    }
    for (int k = 0; k < n; k++) {
      double pivot = a[k][k];
      for (int j = 0; j < 2 * n; j++) {
        a[k][j] /= pivot;
      }
      for (int i = 0; i < n; i++) {
        double factor = a[i][k];
        for (int j = 0; i != k && j < 2 * n; j++) {
          a[i][j] -= factor * a[k][j];
        }
      }
    }
    double[][] inverse = new double[n][n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(a[i], n, inverse[i], 0, n);
    }
    return inverse;
  }

  @Seeded(30)
  void factorsGiveWhatInversesOfWhatIsLeftGive(Samples samples) {
    Problem problem = new Problem(samples, 5, samples.between(4, 22), 100, pool);
    double[][] expected = slow(problem, 0.01, 2, 4);
    double[][] w = problem.weights();
    Mask mask =
        Surgeon.of(problem.moments, 0.01, false, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    for (int r = 0; r < w.length; r++) {
      for (int i = 0; i < problem.inputs; i++) {
        assertEquals(expected[r][i], w[r][i], 1e-6 * (1 + Math.abs(expected[r][i])));
        assertEquals(expected[r][i] != 0, mask.kept(r, i));
      }
    }
  }

  private static double[][] masked(Problem problem, Mask mask) {
    double[][] w = problem.weights();
    for (int r = 0; r < w.length; r++) {
      for (int i = 0; i < problem.inputs; i++) {
        w[r][i] = mask.kept(r, i) ? w[r][i] : 0;
      }
    }
    return w;
  }

  /** The best two of four by a score that multiplies each input with a norm. */
  private static Mask best(Problem problem, boolean withNorms) {
    return Mask.of(
        problem.rows,
        problem.inputs,
        (r, i) -> {
          double own = score(problem, r, i, withNorms);
          int better = 0;
          for (int j = i / 4 * 4; j < Math.min(problem.inputs, i / 4 * 4 + 4); j++) {
            better += score(problem, r, j, withNorms) > own ? 1 : 0;
          }
          return better < 2;
        });
  }

  private static double score(Problem problem, int r, int i, boolean withNorms) {
    double norm = withNorms ? Math.sqrt(problem.moments.meanSquare(i)) : 1;
    return Math.abs(problem.weights[r][i]) * norm;
  }

  @Seeded(20)
  void surgeryLosesLessThanWandaAndWandaLessThanMagnitudeOnCorrelatedInputs(Samples samples) {
    Problem problem = new Problem(samples, 32, 48, 400, pool);
    double magnitude = problem.error(masked(problem, best(problem, false)));
    double wanda = problem.error(masked(problem, best(problem, true)));
    double[][] w = problem.weights();
    Surgeon.of(problem.moments, 0.01, false, pool)
        .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    double surgery = problem.error(w);
    assertTrue(wanda < magnitude, wanda + " and " + magnitude);
    assertTrue(surgery < wanda, surgery + " and " + wanda);
  }

  @Seeded(20)
  void roundingColumnByColumnLosesLessThanRoundingEach(Samples samples) {
    Problem problem = new Problem(samples, 16, 40, 400, pool);
    Grid grid = (row, column, value) -> Math.rint(value * 4) / 4;
    double[][] nearest = problem.weights();
    for (double[] row : nearest) {
      for (int i = 0; i < row.length; i++) {
        row[i] = grid.round(0, i, row[i]);
      }
    }
    for (boolean byImportance : new boolean[] {false, true}) {
      double[][] w = problem.weights();
      Surgeon.of(problem.moments, 0.01, byImportance, pool)
          .operate(w, new Surgeon.Choice.None(), grid);
      for (double[] row : w) {
        for (double value : row) {
          assertEquals(value, grid.round(0, 0, value), "every weight lies on the grid");
        }
      }
      assertTrue(problem.error(w) < problem.error(nearest));
    }
  }

  @Seeded(30)
  void aFractionOfEachRowIsExact(Samples samples) {
    Problem problem = new Problem(samples, 4, samples.between(100, 300), 350, pool);
    double sparsity = samples.between(5, 95) / 100.0;
    Mask mask =
        Surgeon.of(problem.moments, 0.01, false, pool)
            .operate(
                problem.weights(), new Surgeon.Choice.Fraction(sparsity, true), Grid.CONTINUOUS);
    for (int r = 0; r < 4; r++) {
      assertEquals(Math.round(problem.inputs * sparsity), problem.inputs - mask.keptInRow(r));
    }
  }

  @Seeded(20)
  void threadsDoNotChangeTheResult(Samples samples) {
    try (WorkerPool one = new WorkerPool(1, "one")) {
      Problem problem = new Problem(samples, 40, 70, 200, one);
      double[][] a = problem.weights();
      double[][] b = problem.weights();
      Surgeon.Choice half = new Surgeon.Choice.Fraction(0.5, false);
      Surgeon.of(problem.moments, 0.01, false, one).operate(a, half, Grid.CONTINUOUS);
      Surgeon.of(problem.moments, 0.01, false, pool).operate(b, half, Grid.CONTINUOUS);
      for (int r = 0; r < a.length; r++) {
        assertArrayEquals(a[r], b[r]);
      }
    }
  }

  @Test
  void dampingIsRaisedWhereTheMomentsAreSingularAndReported() {
    // two tokens cannot tell 40 inputs apart, and 1e-18 of damping drowns in rounding
    Problem problem = new Problem(new Samples(1), 4, 40, 2, pool);
    Surgeon surgeon = Surgeon.of(problem.moments, 1e-18, false, pool);
    assertTrue(surgeon.damping() > 1e-18, "damping " + surgeon.damping());
    double[][] w = problem.weights();
    surgeon.operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    for (double[] row : w) {
      for (double value : row) {
        assertTrue(Double.isFinite(value));
      }
    }
  }

  @Test
  void deadInputsGoFirst() {
    int inputs = 8;
    Moments moments = new Moments(inputs, true, KernelSets.open(KernelSets.SCALAR), pool);
    float[] x = new Samples(2).normal(50 * inputs);
    for (int i = 0; i < x.length; i++) {
      // inputs 1, 2, 4 and 7 are dead: two of each group
      x[i] = i % inputs == 1 || i % inputs == 2 || i % inputs == 4 || i % inputs == 7 ? 0 : x[i];
    }
    moments.add(x, 50);
    double[][] w = {{1, 100, 100, 1, 100, 1, 1, 100}};
    Mask mask =
        Surgeon.of(moments, 0.01, false, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    assertEquals(0b1001, mask.group(0, 0));
    assertEquals(0b0110, mask.group(0, 1));
    assertEquals(1, w[0][0], 1e-9, "the live ones lose nothing and change nothing");
  }

  @Test
  void allInputsDeadIsNoFailure() {
    Moments moments = new Moments(4, true, KernelSets.open(KernelSets.SCALAR), pool);
    moments.add(new float[12], 3);
    double[][] w = {{4, 3, 2, 1}};
    Mask mask =
        Surgeon.of(moments, 0.01, false, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    assertEquals(2, mask.kept());
  }

  @Seeded(10)
  void neighboursThatShareAMaskLoseMoreButLessThanWithoutSurgery(Samples samples) {
    Problem problem = new Problem(samples, 20, 24, 400, pool);
    double[][] alone = problem.weights();
    double[][] together = problem.weights();
    Surgeon surgeon = Surgeon.of(problem.moments, 0.01, false, pool);
    surgeon.operate(alone, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    Mask mask = surgeon.operate(together, new Surgeon.Choice.Groups(2, 4, 4), Grid.CONTINUOUS);
    for (int r = 0; r < problem.rows; r++) {
      for (int i = 0; i < problem.inputs; i++) {
        assertEquals(mask.kept(r / 4 * 4, i), mask.kept(r, i));
        assertEquals(mask.kept(r, i), together[r][i] != 0);
      }
    }
    assertTrue(problem.error(alone) < problem.error(together));
    assertTrue(problem.error(together) < problem.error(masked(problem, mask)));
  }

  /** Squared error once each bias took over the mean of what its row lost. */
  private static double errorAroundMeans(Problem problem, double[][] w) {
    double[] bias = new double[problem.rows];
    for (int r = 0; r < problem.rows; r++) {
      for (int i = 0; i < problem.inputs; i++) {
        bias[r] += (problem.weights[r][i] - w[r][i]) * problem.moments.mean(i);
      }
    }
    float[] targets = problem.outputs(problem.weights, null);
    return Arrays.stream(problem.errors(targets, w, bias)).sum();
  }

  @Test
  void whereBiasesTakeOverMeansOnlyWhatInputsDoAroundThemCounts() {
    double asTheyAre = 0;
    double around = 0;
    for (int seed = 0; seed < 10; seed++) {
      Problem problem = new Problem(new Samples(seed), 12, 24, 300, pool);
      for (boolean centred : new boolean[] {false, true}) {
        double[][] w = problem.weights();
        Surgeon.of(problem.moments, 0.01, false, centred, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
        double error = errorAroundMeans(problem, w);
        around += centred ? error : 0;
        asTheyAre += centred ? 0 : error;
      }
    }
    assertTrue(around < asTheyAre, around + " and " + asTheyAre);
  }

  @Test
  void aConstantInputGoesWhereABiasTakesItsPlace() {
    int inputs = 4;
    float[] x = new Samples(2).normal(50 * inputs);
    for (int i = 1; i < x.length; i += inputs) {
      x[i] = 3.7f;
    }
    Moments moments = new Moments(inputs, true, KernelSets.open(KernelSets.SCALAR), pool);
    moments.add(x, 50);
    double[][] w = {{1, 100, 0.5, 2}};
    Mask mask =
        Surgeon.of(moments, 0.01, false, true, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    assertEquals(0b1001, mask.group(0, 0), "the one and the two stay");
    w[0][1] = 100;
    mask =
        Surgeon.of(moments, 0.01, false, pool)
            .operate(w, new Surgeon.Choice.Groups(2, 4), Grid.CONTINUOUS);
    assertTrue(mask.kept(0, 1), "without a bias its product is needed");
  }
}
