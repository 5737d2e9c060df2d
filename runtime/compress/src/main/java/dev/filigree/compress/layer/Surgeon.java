package dev.filigree.compress.layer;

import dev.filigree.compress.algebra.Cholesky;
import dev.filigree.compress.algebra.Rows;
import dev.filigree.plan.WorkerPool;
import dev.filigree.weights.Mask;
import java.util.Arrays;

/**
 * Optimal brain surgery, column by column: a weight is dropped or rounded, and the columns not yet
 * visited take over what that costs, as the inverse of the inputs' second moments says. Dropping is
 * SparseGPT (Frantar and Alistarh, arXiv 2301.00774), rounding GPTQ (arXiv 2210.17323), both at
 * once their joint form.
 */
public final class Surgeon {
  /** Columns visited before the rest is updated. */
  public static final int BLOCK = 128;

  /** Share of an input's mean square up to which its variance is rounding of f32 products. */
  private static final double CONSTANT = 1e-6;

  /** Rows a thread takes at a time. */
  private static final int ROWS = 16;

  private final double[][] u;
  private final double damping;
  private final boolean[] dead;
  private final int[] order;
  private final WorkerPool pool;

  private Surgeon(double[][] u, double damping, boolean[] dead, int[] order, WorkerPool pool) {
    this.u = u;
    this.damping = damping;
    this.dead = dead;
    this.order = order;
    this.pool = pool;
  }

  /** Prepares for layers without a bias that makes up for means. */
  public static Surgeon of(Moments moments, double damping, boolean byImportance, WorkerPool pool) {
    return of(moments, damping, byImportance, false, pool);
  }

  /**
   * Prepares for the layers that read some inputs. A dead input counts as one of its own, so that
   * its weights do not matter. The damping is raised tenfold until the matrix can be factored.
   *
   * @param damping added to the diagonal, as a fraction of its mean
   * @param byImportance whether columns of large inputs are visited first
   * @param centred whether the layers' biases take over the mean of what is lost: then only what
   *     inputs do around their means counts, and a constant one is as good as dead
   */
  public static Surgeon of(
      Moments moments, double damping, boolean byImportance, boolean centred, WorkerPool pool) {
    int n = moments.inputs();
    boolean[] dead = new boolean[n];
    double trace = 0;
    for (int i = 0; i < n; i++) {
      double own = moments.product(i, i, centred);
      // what is left of a constant input is rounding
      dead[i] = own <= (centred ? CONSTANT * moments.second()[i][i] : 0);
      trace += dead[i] ? 0 : own;
    }
    double mean = trace / n;
    int[] order = order(moments, byImportance);
    for (double added = damping; ; added = Math.max(added * 10, 1e-6)) {
      double[][] u =
          Cholesky.ofInverse(
              damped(moments, order, dead, centred, mean == 0 ? 1 : added * mean), pool);
      if (u != null) {
        return new Surgeon(u, added, dead, order, pool);
      }
      if (added > 1e6) {
        throw new ArithmeticException("second moments cannot be factored");
      }
    }
  }

  private static int[] order(Moments moments, boolean byImportance) {
    Integer[] order = new Integer[moments.inputs()];
    Arrays.setAll(order, i -> i);
    if (byImportance) {
      Arrays.sort(order, (a, b) -> Double.compare(moments.meanSquare(b), moments.meanSquare(a)));
    }
    return Arrays.stream(order).mapToInt(i -> i).toArray();
  }

  private static double[][] damped(
      Moments moments, int[] order, boolean[] dead, boolean centred, double added) {
    int n = order.length;
    double[][] a = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = i; j < n; j++) {
        int row = Math.min(order[i], order[j]);
        int column = Math.max(order[i], order[j]);
        a[i][j] = dead[row] || dead[column] ? 0 : moments.product(row, column, centred);
      }
      a[i][i] += dead[order[i]] ? 1 : added;
    }
    return a;
  }

  /** The damping that was needed, as a fraction of the diagonal's mean. */
  public double damping() {
    return damping;
  }

  /** Which weights go. */
  public sealed interface Choice {
    /** All stay. */
    record None() implements Choice {}

    /** Those outside a mask. */
    record Given(Mask mask) implements Choice {}

    /**
     * All but the best {@code keep} of every {@code of} consecutive inputs.
     *
     * @param shared neighbouring rows with the same choice, a divisor of {@value #ROWS}
     */
    record Groups(int keep, int of, int shared) implements Choice {
      /** Every row for itself. */
      public Groups(int keep, int of) {
        this(keep, of, 1);
      }
    }

    /**
     * A fraction of every block of columns.
     *
     * @param perRow whether of every row, or of all rows together
     */
    record Fraction(double sparsity, boolean perRow) implements Choice {}
  }

  /**
   * Drops and rounds weights in place.
   *
   * @param weights {@code [rows, inputs]}
   * @param grid values the kept ones may take
   * @return the weights that stayed
   */
  public Mask operate(double[][] weights, Choice choice, Grid grid) {
    int rows = weights.length;
    int n = order.length;
    double[][] visited = new double[rows][n];
    boolean[][] keep = new boolean[rows][n];
    boolean drops = choice instanceof Choice.Groups || choice instanceof Choice.Fraction;
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < n; i++) {
        visited[r][i] = dead[order[i]] && drops ? 0 : weights[r][order[i]];
      }
    }
    for (int first = 0; first < n; first += BLOCK) {
      int start = first;
      int end = Math.min(n, first + BLOCK);
      decide(visited, keep, choice, start, end);
      pool.forEach(
          Math.ceilDiv(rows, ROWS),
          (item, worker) ->
              block(
                  visited,
                  keep,
                  choice,
                  grid,
                  item * ROWS,
                  Math.min(rows, (item + 1) * ROWS),
                  start,
                  end));
    }
    Mask mask = Mask.none(rows, n);
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < n; i++) {
        weights[r][order[i]] = visited[r][i];
        if (keep[r][i]) {
          mask.keep(r, order[i]);
        }
      }
    }
    return mask;
  }

  /** What can be decided for a whole block before its columns are visited. */
  private void decide(double[][] w, boolean[][] keep, Choice choice, int start, int end) {
    switch (choice) {
      case Choice.None none -> {
        for (boolean[] row : keep) {
          Arrays.fill(row, start, end, true);
        }
      }
      case Choice.Given(Mask mask) -> {
        for (int r = 0; r < keep.length; r++) {
          for (int i = start; i < end; i++) {
            keep[r][i] = mask.kept(r, order[i]);
          }
        }
      }
      case Choice.Groups groups -> {
        // chosen when a group's turn comes, after the columns before it
      }
      case Choice.Fraction(double sparsity, boolean perRow) -> {
        int width = end - start;
        int together = perRow ? 1 : keep.length;
        for (int r = 0; r < keep.length; r += together) {
          long[] ranked = new long[together * width];
          double[] scores = new double[ranked.length];
          for (int i = 0; i < scores.length; i++) {
            scores[i] = score(w[r + i / width], start + i % width);
          }
          // exactly as many go as the fraction of all columns up to here asks for
          long before = Math.round(sparsity * start * together);
          int pruned = (int) (Math.round(sparsity * end * together) - before);
          boolean[] stays = best(scores, scores.length - pruned);
          for (int i = 0; i < scores.length; i++) {
            keep[r + i / width][start + i % width] = stays[i];
          }
        }
      }
    }
  }

  private double score(double[] w, int i) {
    double ratio = w[i] / u[i][i];
    return ratio * ratio;
  }

  /** Marks the highest of some scores, the earlier of equal ones. */
  static boolean[] best(double[] scores, int count) {
    boolean[] best = new boolean[scores.length];
    double[] sorted = scores.clone();
    Arrays.sort(sorted);
    double threshold = count == 0 ? Double.POSITIVE_INFINITY : sorted[sorted.length - count];
    int above = 0;
    for (double score : scores) {
      above += score > threshold ? 1 : 0;
    }
    int atThreshold = count - above;
    for (int i = 0; i < scores.length; i++) {
      if (scores[i] > threshold || scores[i] == threshold && atThreshold-- > 0) {
        best[i] = true;
      }
    }
    return best;
  }

  private void block(
      double[][] w,
      boolean[][] keep,
      Choice choice,
      Grid grid,
      int firstRow,
      int lastRow,
      int start,
      int end) {
    double[][] errors = new double[lastRow - firstRow][end - start];
    int together = choice instanceof Choice.Groups groups ? groups.shared() : 1;
    for (int from = firstRow; from < lastRow; from += together) {
      int to = Math.min(lastRow, from + together);
      for (int i = start; i < end; i++) {
        if (choice instanceof Choice.Groups groups && i % groups.of() == 0) {
          choose(w, keep, groups, from, to, i);
        }
        for (int r = from; r < to; r++) {
          errors[r - firstRow][i - start] = visit(w[r], keep[r][i], grid, r, i, end);
        }
      }
    }
    double[][] own = Arrays.copyOfRange(w, firstRow, lastRow);
    Rows.subtract(own, 0, own.length, u, start, end, errors, start, end, order.length);
  }

  /** Drops or rounds a weight; the block's later columns make up for it. */
  private double visit(double[] row, boolean keep, Grid grid, int r, int i, int end) {
    double kept = keep ? grid.round(r, order[i], row[i]) : 0;
    double e = (row[i] - kept) / u[i][i];
    row[i] = kept;
    if (e != 0) {
      double[] ui = u[i];
      for (int j = i + 1; j < end; j++) {
        row[j] -= e * ui[j];
      }
    }
    return e;
  }

  private void choose(
      double[][] w, boolean[][] keep, Choice.Groups groups, int from, int to, int first) {
    int end = Math.min(order.length, first + groups.of());
    double[] scores = new double[end - first];
    for (int r = from; r < to; r++) {
      for (int i = first; i < end; i++) {
        scores[i - first] += score(w[r], i);
      }
    }
    boolean[] best = best(scores, Math.min(groups.keep(), scores.length));
    for (int r = from; r < to; r++) {
      System.arraycopy(best, 0, keep[r], first, best.length);
    }
  }
}
