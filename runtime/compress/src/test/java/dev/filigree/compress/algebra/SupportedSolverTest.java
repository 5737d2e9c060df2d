package dev.filigree.compress.algebra;

import static dev.filigree.compress.algebra.SupportedSolver.ENOUGH_STEPS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.Mask;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SupportedSolverTest {
  private static final double TOLERANCE = 1e-4;

  private static WorkerPool pool;

  @BeforeAll
  static void open() {
    pool = new WorkerPool(2, "test");
  }

  @AfterAll
  static void close() {
    pool.close();
  }

  private static SupportedSolver solver(double[][] a) {
    return SupportedSolver.of(a, KernelSets.open(""), pool);
  }

  /** The same by a factor of the block over the support. */
  private static double[] exact(double[][] a, Mask mask, int row, double[] b) {
    int n = a.length;
    double[][] block = new double[n][n];
    double[] x = b.clone();
    for (int i = 0; i < n; i++) {
      boolean in = mask.kept(row, i);
      for (int j = 0; j < n; j++) {
        block[i][j] = in && mask.kept(row, j) ? a[i][j] : i == j ? 1 : 0;
      }
      x[i] = in ? b[i] : 0;
    }
    assertTrue(Cholesky.factor(block, n));
    Cholesky.solve(block, n, x);
    return x;
  }

  @Seeded(20)
  void everyRowIsSolvedOverItsOwnSupport(Samples samples) {
    int n = samples.between(1, 120);
    int rows = samples.between(1, 70);
    double[][] a = CholeskyTest.definite(samples, n);
    // sizes as far apart as those of a transformer's activations
    double[] scale = new double[n];
    for (int i = 0; i < n; i++) {
      scale[i] = samples.chance(0.05) ? 30 : 1;
    }
    double[][] x = new double[rows][n];
    double[][] b = new double[rows][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        a[i][j] *= scale[i] * scale[j];
      }
    }
    int percent = samples.between(0, 100);
    boolean[][] kept = new boolean[rows][n];
    for (int r = 0; r < rows; r++) {
      float[] right = samples.normal(n);
      for (int i = 0; i < n; i++) {
        b[r][i] = right[i] * scale[i];
        kept[r][i] = samples.chance(percent / 100.0);
      }
    }
    Mask mask = Mask.of(rows, n, (r, i) -> kept[r][i]);
    // whatever the least loss of a row is, down to nothing
    double[] least = new double[rows];
    double[] constant = new double[rows];
    for (int r = 0; r < rows; r++) {
      double[] exact = exact(a, mask, r, b[r]);
      least[r] = samples.chance(0.3) ? 0 : Math.abs(samples.normal(1)[0]);
      constant[r] = least[r];
      for (int i = 0; i < n; i++) {
        constant[r] += exact[i] * b[r][i];
      }
    }
    try (SupportedSolver solver = solver(a)) {
      boolean[] close = solver.solve(x, mask, b, constant, TOLERANCE, ENOUGH_STEPS);
      for (int r = 0; r < rows; r++) {
        assertTrue(close[r], "row " + r);
        double[] exact = exact(a, mask, r, b[r]);
        double lost = 0;
        double energy = 0;
        for (int i = 0; i < n; i++) {
          assertTrue(kept[r][i] || x[r][i] == 0, "nothing outside the support");
          for (int j = 0; j < n; j++) {
            lost += (x[r][i] - exact[i]) * a[i][j] * (x[r][j] - exact[j]);
            energy += exact[i] * a[i][j] * exact[j];
          }
        }
        // twice, for the inverse that judges is in f32
        double allowed = Math.max(TOLERANCE * least[r], SupportedSolver.FLOOR * energy);
        assertTrue(lost <= 2 * allowed + 1e-300, lost + " of " + allowed);
      }
    }
  }

  @Seeded(3)
  void threadsChangeNothing(Samples samples) {
    int n = 70;
    int rows = 200;
    double[][] a = CholeskyTest.definite(samples, n);
    double[][] b = new double[rows][n];
    for (int r = 0; r < rows; r++) {
      float[] right = samples.normal(n);
      for (int i = 0; i < n; i++) {
        b[r][i] = right[i];
      }
    }
    Mask mask = Mask.of(rows, n, (r, i) -> (r + i) % 3 != 0);
    double[][] two = new double[rows][n];
    try (SupportedSolver solver = solver(a)) {
      solver.solve(two, mask, b, new double[rows], TOLERANCE, ENOUGH_STEPS);
    }
    double[][] one = new double[rows][n];
    try (WorkerPool single = new WorkerPool(1, "test");
        SupportedSolver solver = SupportedSolver.of(a, KernelSets.open(""), single)) {
      solver.solve(one, mask, b, new double[rows], TOLERANCE, ENOUGH_STEPS);
    }
    for (int r = 0; r < rows; r++) {
      assertArrayEquals(one[r], two[r], "row " + r);
    }
  }

  @Test
  void aRowOfZerosIsSolvedAtOnce() {
    double[][] x = new double[1][2];
    try (SupportedSolver solver = solver(new double[][] {{2, 1}, {1, 2}})) {
      assertTrue(
          solver
              .solve(
                  x,
                  Mask.of(1, 2, (r, i) -> true),
                  new double[1][2],
                  new double[1],
                  1e-10,
                  ENOUGH_STEPS)[0]);
    }
    assertEquals(0, x[0][0]);
    assertEquals(0, x[0][1]);
  }

  /** Two inputs that f32 does not tell apart: whoever asks is told, and has f64 to go to. */
  @Test
  void aRowThatDoesNotComeCloseIsToldSo() {
    double[][] a = {{1, 1 - 1e-12, 0}, {1 - 1e-12, 1, 0}, {0, 0, 1}};
    double[][] x = new double[2][3];
    Mask mask = Mask.of(2, 3, (r, i) -> r == 0 || i == 2);
    try (SupportedSolver solver = solver(a)) {
      boolean[] close =
          solver.solve(
              x, mask, new double[][] {{1, -1, 1}, {1, 1, 1}}, new double[2], 1e-4, ENOUGH_STEPS);
      assertFalse(close[0]);
      assertTrue(close[1]);
    }
    assertEquals(1, x[1][2], 1e-7);
  }

  @Test
  void whatIsNotPositiveDefiniteHasNoSolver() {
    assertNull(solver(new double[][] {{1, 2}, {2, 1}}));
  }
}
