package dev.filigree.compress.algebra;

import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import dev.filigree.weights.Mask;
import java.util.Arrays;

/**
 * Solves {@code A_SS x_S = b_S} for many rows x, each with a support S of its own, outside of which
 * it is zero: least squares on masked weights. Conjugate gradients run for all rows at once, so
 * that a step is two products of matrices in f32 instead of a factor for each row; residuals are
 * taken anew in f64 between rounds.
 *
 * <p>The inverse of the whole A is the preconditioner. Its block over S is no smaller than the
 * inverse of the block of A, so {@code r A^-1 r}, which the method computes anyway, bounds what a
 * row with the residual r still loses: convergence is not guessed. Not safe to share.
 */
public final class SupportedSolver implements AutoCloseable {
  /** Steps that are enough for any matrix that f32 can tell from a singular one. */
  public static final int ENOUGH_STEPS = 240;

  /** Steps of a round, which begins from a residual in f64; some ten do for transformers. */
  private static final int STEPS = 60;

  /** Growth of a bound by which f32 is seen not to tell the matrix from a singular one. */
  private static final double LOST = 1e3;

  /** Part of a bound that a round can bring it down to before f32 residuals lie. */
  private static final double REACH = 1e-8;

  /** Part of {@code x A x} that no tolerance is below. */
  static final double FLOOR = 1e-10;

  /** Rows a thread takes at a time. */
  private static final int STRIPE = 64;

  private final double[][] a;

  /** Brings the diagonal to one, so that inputs of any size are told apart in f32. */
  private final double[] scale;

  private final int n;
  private final MatrixProduct products;
  private final WorkerPool pool;
  private final MatrixProduct.Factor matrix;
  private final MatrixProduct.Factor inverse;

  private SupportedSolver(double[][] a, double[] scale, double[][] u, MatrixProduct products) {
    this.a = a;
    this.scale = scale;
    this.n = a.length;
    this.products = products;
    this.pool = products.pool();
    float[] factor = floats((i, j) -> u[i][j]);
    float[] turned = Transposition.of(factor, n, n, pool);
    this.inverse = products.factor(products.multiply(turned, n, n, factor, n), n, n);
    this.matrix = products.factor(floats((i, j) -> a[i][j] * scale[i] * scale[j]), n, n);
  }

  /**
   * A solver.
   *
   * @param a symmetric, both triangles; kept
   * @return null if the matrix is not positive definite
   */
  public static SupportedSolver of(double[][] a, Kernels kernels, WorkerPool pool) {
    int n = a.length;
    double[] scale = new double[n];
    Arrays.setAll(scale, i -> 1 / Math.sqrt(a[i][i]));
    double[][] scaled = new double[n][n];
    pool.forEach(
        n,
        (i, worker) -> {
          for (int j = 0; j < n; j++) {
            scaled[i][j] = a[i][j] * scale[i] * scale[j];
          }
        });
    double[][] u = Cholesky.ofInverse(scaled, pool);
    return u == null ? null : new SupportedSolver(a, scale, u, new MatrixProduct(kernels, pool));
  }

  /** An element of a matrix. */
  private interface Element {
    double at(int row, int column);
  }

  private float[] floats(Element element) {
    float[] values = new float[n * n];
    pool.forEach(
        n,
        (i, worker) -> {
          for (int j = 0; j < n; j++) {
            values[i * n + j] = (float) element.at(i, j);
          }
        });
    return values;
  }

  /**
   * Solves for every row.
   *
   * @param x {@code [rows, n]}, where to start; zero outside the supports; replaced
   * @param mask the supports, or null for all
   * @param b {@code [rows, n]}
   * @param constant for each row what its loss {@code x A x - 2 b x + constant} is at zero
   * @param tolerance what a row's loss may still be above the least, as a fraction of it; {@value
   *     #FLOOR} of {@code x A x} where the loss is next to nothing
   * @param budget steps to take at most; each brings every row closer
   * @return for each row whether it came as close; where f32 cannot tell the matrix from a singular
   *     one, none may
   */
  public boolean[] solve(
      double[][] x, Mask mask, double[][] b, double[] constant, double tolerance, int budget) {
    State state = new State(x, mask, b, constant, tolerance);
    boolean isLeft = state.start();
    for (int taken = 0; taken < budget && isLeft; ) {
      int end = Math.min(budget, taken + STEPS);
      do {
        taken++;
        isLeft = state.step();
      } while (isLeft && taken < end);
      state.finish();
      isLeft = state.start();
    }
    return state.close;
  }

  @Override
  public void close() {
    products.close();
  }

  /**
   * Rows on their way. Vectors are stored feature by feature, {@code [n, rows]}, as the products
   * want them; sums of a row are in f64 and in an order that threads do not change.
   */
  private final class State {
    private final double[][] x;
    private final double[][] b;
    private final int rows;
    private final double tolerance;
    private final float[] kept;
    private final float[] residual;
    private final float[] change;
    private final double[] bound;
    private final double[] constant;
    private final double[] energy;
    private final double[] loss;
    private final boolean[] close;
    private final boolean[] lost;
    private final double[] gained;
    private final double[] first;
    private float[] direction;

    State(double[][] x, Mask mask, double[][] b, double[] constant, double tolerance) {
      this.x = x;
      this.b = b;
      this.constant = constant;
      this.rows = x.length;
      this.tolerance = tolerance;
      this.kept = new float[n * rows];
      this.residual = new float[n * rows];
      this.change = new float[n * rows];
      this.bound = new double[rows];
      this.energy = new double[rows];
      this.loss = new double[rows];
      Arrays.fill(loss, Double.POSITIVE_INFINITY);
      this.close = new boolean[rows];
      this.lost = new boolean[rows];
      this.gained = new double[rows];
      this.first = new double[rows];
      for (int i = 0; i < n; i++) {
        for (int r = 0; r < rows; r++) {
          kept[i * rows + r] = mask == null || mask.kept(r, i) ? 1 : 0;
        }
      }
    }

    /**
     * Takes the residual in f64 and the first direction.
     *
     * @return whether any row is not close enough
     */
    boolean start() {
      stripes(this::resume);
      Arrays.fill(change, 0);
      Arrays.fill(gained, 0);
      float[] z = products.multiply(inverse, residual, rows);
      stripes((from, to) -> judge(z, from, to));
      System.arraycopy(bound, 0, first, 0, rows);
      direction = new float[n * rows];
      for (int i = 0; i < direction.length; i++) {
        direction[i] = z[i] * kept[i];
      }
      return anyLeft();
    }

    /** Takes the residuals of some rows, and what they lose now. */
    private void resume(int from, int to) {
      double[][] left = new double[to - from][];
      Arrays.setAll(left, s -> b[from + s].clone());
      Rows.subtract(left, 0, to - from, a, 0, n, Arrays.copyOfRange(x, from, to), 0, 0, n);
      for (int r = from; r < to; r++) {
        double sum = 0;
        double inner = 0;
        for (int i = 0; i < n; i++) {
          double gap = left[r - from][i];
          residual[i * rows + r] = (float) (gap * scale[i]) * kept[i * rows + r];
          sum += x[r][i] * (b[r][i] - gap);
          inner += 2 * x[r][i] * gap;
        }
        energy[r] = Math.abs(sum);
        double now = constant[r] - sum - inner;
        if (now <= loss[r] + FLOOR * energy[r]) {
          loss[r] = now;
        } else {
          // f32 led it astray, which NaN says as well
          lost[r] = true;
          move(r, -1);
        }
      }
    }

    /** Whether a row has come as far as it can in this round. */
    private boolean rests(int r) {
      return close[r] || lost[r] || bound[r] <= REACH * first[r];
    }

    private boolean anyLeft() {
      for (int r = 0; r < rows; r++) {
        if (!rests(r)) {
          return true;
        }
      }
      return false;
    }

    /** Sets the bounds of some rows. */
    private void judge(float[] z, int from, int to) {
      double[] sums = dots(residual, z, from, to);
      for (int r = from; r < to; r++) {
        bound[r] = sums[r - from];
        double floor = FLOOR * Math.max(energy[r], gained[r]);
        close[r] = bound[r] <= Math.max(floor, tolerance * (loss[r] - gained[r]));
      }
    }

    /**
     * One step of all rows that are not close enough.
     *
     * @return whether any is left
     */
    boolean step() {
      float[] image = products.multiply(matrix, direction, rows);
      stripes((from, to) -> advance(image, from, to));
      float[] z = products.multiply(inverse, residual, rows);
      stripes(
          (from, to) -> {
            double[] before = Arrays.copyOfRange(bound, from, to);
            judge(z, from, to);
            for (int r = from; r < to; r++) {
              // NaN is lost as well
              lost[r] |= !(bound[r] <= LOST * first[r]);
            }
            turn(z, before, from, to);
          });
      return anyLeft();
    }

    private void advance(float[] image, int from, int to) {
      double[] curvature = dots(direction, image, from, to);
      float[] lengths = new float[to - from];
      for (int r = from; r < to; r++) {
        // a row that is there stays there
        boolean moves = !rests(r) && curvature[r - from] > 0;
        double length = moves ? bound[r] / curvature[r - from] : 0;
        lengths[r - from] = (float) length;
        gained[r] += length * bound[r];
      }
      for (int i = 0; i < n; i++) {
        int at = i * rows + from;
        for (int s = 0; s < lengths.length; s++) {
          change[at + s] += lengths[s] * direction[at + s];
          residual[at + s] -= lengths[s] * image[at + s] * kept[at + s];
        }
      }
    }

    /** The next direction, conjugate to those before. */
    private void turn(float[] z, double[] before, int from, int to) {
      float[] share = new float[to - from];
      for (int s = 0; s < share.length; s++) {
        share[s] = before[s] > 0 ? (float) (bound[from + s] / before[s]) : 0;
      }
      for (int i = 0; i < n; i++) {
        int at = i * rows + from;
        for (int s = 0; s < share.length; s++) {
          direction[at + s] = z[at + s] * kept[at + s] + share[s] * direction[at + s];
        }
      }
    }

    /** Adds what the round found, but for rows that it lost. */
    void finish() {
      pool.forEach(
          rows,
          (r, worker) -> {
            if (lost[r]) {
              for (int i = 0; i < n; i++) {
                change[i * rows + r] = 0;
              }
            }
            move(r, 1);
          });
    }

    private void move(int r, int sign) {
      for (int i = 0; i < n; i++) {
        x[r][i] += sign * change[i * rows + r] * scale[i];
      }
    }

    /** For each of some rows the product of two vectors. */
    private double[] dots(float[] p, float[] q, int from, int to) {
      double[] sums = new double[to - from];
      for (int i = 0; i < n; i++) {
        int at = i * rows + from;
        for (int s = 0; s < sums.length; s++) {
          sums[s] += (double) p[at + s] * q[at + s];
        }
      }
      return sums;
    }

    private void stripes(Stripe body) {
      pool.forEach(
          Math.ceilDiv(rows, STRIPE),
          (stripe, worker) -> body.accept(stripe * STRIPE, Math.min(rows, (stripe + 1) * STRIPE)));
    }
  }

  /** What is done to the rows {@code [from, to)}. */
  private interface Stripe {
    void accept(int from, int to);
  }
}
