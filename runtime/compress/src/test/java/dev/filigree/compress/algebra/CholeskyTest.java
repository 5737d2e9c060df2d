package dev.filigree.compress.algebra;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.plan.WorkerPool;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class CholeskyTest {
  private static WorkerPool pool;

  @BeforeAll
  static void open() {
    pool = new WorkerPool(3, "cholesky");
  }

  @AfterAll
  static void close() {
    pool.close();
  }

  /** {@code B^T B + I}: positive definite and not badly conditioned. */
  static double[][] definite(Samples samples, int n) {
    float[] b = samples.normal(n * n);
    double[][] a = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        a[i][j] = i == j ? 1 : 0;
        for (int k = 0; k < n; k++) {
          a[i][j] += (double) b[k * n + i] * b[k * n + j];
        }
      }
    }
    return a;
  }

  /** Sizes below, at and beyond a panel and a tile. */
  private static int size(Samples samples) {
    return samples.chance(0.1) ? samples.between(540, 600) : samples.between(1, 150);
  }

  @Seeded(30)
  void theFactorTimesItsTransposeIsTheMatrix(Samples samples) {
    int n = size(samples);
    double[][] a = definite(samples, n);
    double[][] u = Arrays.stream(a).map(double[]::clone).toArray(double[][]::new);
    assertTrue(Cholesky.factor(u, n));
    for (int i = 0; i < n; i += samples.between(1, 7)) {
      for (int j = i; j < n; j += samples.between(1, 7)) {
        double product = 0;
        for (int k = 0; k <= i; k++) {
          product += u[k][i] * u[k][j];
        }
        assertEquals(a[i][j], product, 1e-10 * n, i + ", " + j);
      }
    }
  }

  @Seeded(20)
  void aFactorIsTheSameOnAnyNumberOfThreads(Samples samples) {
    int n = size(samples);
    double[][] a = definite(samples, n);
    double[][] u = Arrays.stream(a).map(double[]::clone).toArray(double[][]::new);
    assertTrue(Cholesky.factor(a, n));
    assertTrue(Cholesky.factor(u, n, pool));
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        assertEquals(a[i][j], u[i][j], 0, i + ", " + j);
      }
    }
  }

  @Seeded(30)
  void aSolutionSolvesItsSystem(Samples samples) {
    int n = size(samples);
    double[][] a = definite(samples, n);
    float[] wanted = samples.normal(n);
    double[] b = new double[n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        b[i] += a[i][j] * wanted[j];
      }
    }
    assertTrue(Cholesky.factor(a, n));
    Cholesky.solve(a, n, b);
    for (int i = 0; i < n; i++) {
      assertEquals(wanted[i], b[i], 1e-8 * n);
    }
  }

  @Seeded(20)
  void theFactorOfTheInverseTimesTheMatrixIsOne(Samples samples) {
    int n = size(samples);
    double[][] a = definite(samples, n);
    double[][] u = Cholesky.ofInverse(a, pool);
    for (int column = 0; column < n; column += samples.between(1, 9)) {
      // u^T (u (a e)) is e
      double[] half = new double[n];
      for (int i = 0; i < n; i++) {
        for (int j = i; j < n; j++) {
          half[i] += u[i][j] * a[j][column];
        }
      }
      for (int j = 0; j < n; j++) {
        double value = 0;
        for (int i = 0; i <= j; i++) {
          value += u[i][j] * half[i];
        }
        assertEquals(j == column ? 1 : 0, value, 1e-8 * n);
      }
    }
  }

  @Test
  void whatIsNotPositiveDefiniteIsRefused() {
    assertFalse(Cholesky.factor(new double[][] {{1, 2}, {2, 1}}, 2));
    assertFalse(Cholesky.factor(new double[][] {{0}}, 1));
    assertFalse(Cholesky.factor(new double[][] {{Double.NaN}}, 1));
    assertNull(Cholesky.ofInverse(new double[][] {{1, 1}, {1, 1}}, pool));
  }
}
