package dev.filigree.compress.layer;

import dev.filigree.plan.WorkerPool;
import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Looks for an order of inputs in which keeping N of every M loses little: pairs of inputs of
 * different groups change places while that keeps more, the best first, and where nothing is left
 * to gain a few are exchanged at random and all goes on from there, a bounded number of times. The
 * idea is Pool and Yu's ("Channel permutations for N:M sparsity", NeurIPS 2021, section 4).
 *
 * <p>An exchange changes what a group keeps of a row only by how the newcomer compares with the Nth
 * largest of the others, so that its gain is a sum of two maxima over the rows. Scores are rounded
 * to integers, whose sums do not depend on their order.
 */
public final class ChannelPermutation {
  /** Levels of the greatest score. */
  private static final int LEVELS = 1 << 15;

  /** Rows that the sums of levels have room for, two to a pair. */
  private static final int MOST_ROWS = 1 << 14;

  /** Exchanges made at random when an order is left. */
  private static final int KICKS = 4;

  private final int keep;
  private final int of;
  private final int positions;
  private final WorkerPool pool;

  /** Levels {@code [column][row]}. */
  private final int[][] levels;

  /** The column at each position. */
  private final int[] order;

  /** For each position and row, what a column there must exceed to be kept. */
  private final int[][] limits;

  /** For each position, what its column gives above its limits, with these. */
  private final long[] own;

  private final int[] partner;
  private final long[] gain;

  private ChannelPermutation(
      float[] scores, int rows, int columns, int keep, int of, WorkerPool pool) {
    this.keep = keep;
    this.of = of;
    this.positions = columns / of * of;
    this.pool = pool;
    this.levels = levels(scores, rows, columns);
    this.order = IntStream.range(0, columns).toArray();
    this.limits = new int[positions][levels[0].length];
    this.own = new long[positions];
    this.partner = new int[positions];
    this.gain = new long[positions];
  }

  /** Columns of levels; of more rows than sums have room for, evenly chosen ones. */
  private static int[][] levels(float[] scores, int rows, int columns) {
    float most = 0;
    for (float score : scores) {
      most = Math.max(most, score);
    }
    int taken = Math.min(rows, MOST_ROWS);
    int[][] levels = new int[columns][taken];
    for (int c = 0; c < columns; c++) {
      for (int r = 0; r < taken; r++) {
        float score = scores[(int) ((long) r * rows / taken) * columns + c];
        levels[c][r] = most == 0 ? 0 : Math.round(score / most * LEVELS);
      }
    }
    return levels;
  }

  /**
   * The order found: position p is for the input {@code order[p]}. Inputs beyond the last whole
   * group stay where they are.
   *
   * @param scores {@code [rows, columns]}, not negative: what is kept counts by their sum
   * @param keep weights that stay of a group
   * @param of weights of a group
   * @param escapes how often to leave an order that no exchange improves
   * @param seed of what is random
   */
  public static int[] search(
      float[] scores,
      int rows,
      int columns,
      int keep,
      int of,
      int escapes,
      long seed,
      WorkerPool pool) {
    if (rows == 0 || columns < 2 * of) {
      return IntStream.range(0, columns).toArray();
    }
    ChannelPermutation search = new ChannelPermutation(scores, rows, columns, keep, of, pool);
    search.climb(IntStream.range(0, search.positions).toArray());
    SplittableRandom random = new SplittableRandom(seed);
    int[] best = search.order.clone();
    long most = search.kept();
    for (int escape = 0; escape < escapes; escape++) {
      search.climb(search.kick(random));
      long kept = search.kept();
      if (kept > most) {
        most = kept;
        best = search.order.clone();
      } else {
        search.climb(search.restore(best));
      }
    }
    return best;
  }

  /** The sum of the scores that keeping N of every M keeps in an order. */
  public static double kept(float[] scores, int rows, int columns, int keep, int of, int[] order) {
    double kept = 0;
    for (int row = 0; row < rows; row++) {
      for (int first = 0; first < columns; first += of) {
        float[] group = new float[Math.min(of, columns - first)];
        for (int i = 0; i < group.length; i++) {
          group[i] = scores[row * columns + order[first + i]];
        }
        Arrays.sort(group);
        for (int i = Math.max(0, group.length - keep); i < group.length; i++) {
          kept += group[i];
        }
      }
    }
    return kept;
  }

  private long kept() {
    long kept = 0;
    int[] group = new int[of];
    for (int first = 0; first < positions; first += of) {
      for (int r = 0; r < levels[0].length; r++) {
        for (int i = 0; i < of; i++) {
          group[i] = levels[order[first + i]][r];
        }
        Arrays.sort(group);
        for (int i = of - keep; i < of; i++) {
          kept += group[i];
        }
      }
    }
    return kept;
  }

  /** Exchanges pairs until none gains; only what touched groups concern is computed anew. */
  private void climb(int[] touchedPositions) {
    int[] touched = touchedPositions;
    while (touched.length > 0) {
      boolean[] isTouched = new boolean[positions];
      for (int p : touched) {
        isTouched[p] = true;
      }
      for (int first = 0; first < positions; first += of) {
        if (isTouched[first]) {
          limit(first);
        }
      }
      int[] stale =
          IntStream.range(0, positions)
              .filter(p -> isTouched[p] || isTouched[partner[p]])
              .toArray();
      pool.forEach(stale.length, (item, worker) -> look(stale[item], isTouched, true));
      int[] others = IntStream.range(0, positions).filter(p -> !isTouched[p]).toArray();
      pool.forEach(others.length, (item, worker) -> look(others[item], isTouched, false));
      touched = exchange();
    }
  }

  /** Finds the best partner of a position, among all or only among those that changed. */
  private void look(int p, boolean[] isTouched, boolean all) {
    long best = all ? Long.MIN_VALUE : gain[p];
    int with = all ? p : partner[p];
    for (int q = 0; q < positions; q++) {
      if (q / of != p / of && (all || isTouched[q])) {
        long gained = gain(p, q);
        if (gained > best || gained == best && q < with) {
          best = gained;
          with = q;
        }
      }
    }
    gain[p] = best;
    partner[p] = with;
  }

  private long gain(int p, int q) {
    int[] a = levels[order[p]];
    int[] b = levels[order[q]];
    return crossed(limits[p], b, limits[q], a) - own[p] - own[q];
  }

  /** A loop over arrays alone, which the compiler turns into vectors. */
  private static int crossed(int[] limitA, int[] b, int[] limitB, int[] a) {
    int sum = 0;
    for (int r = 0; r < a.length; r++) {
      sum += Math.max(limitA[r], b[r]) + Math.max(limitB[r], a[r]);
    }
    return sum;
  }

  /** Notes the limits of a group's positions. */
  private void limit(int first) {
    int[] sorted = new int[of];
    for (int r = 0; r < levels[0].length; r++) {
      for (int i = 0; i < of; i++) {
        sorted[i] = levels[order[first + i]][r];
      }
      Arrays.sort(sorted);
      int least = sorted[of - keep];
      int next = sorted[of - keep - 1];
      for (int i = 0; i < of; i++) {
        limits[first + i][r] = levels[order[first + i]][r] >= least ? next : least;
      }
    }
    for (int p = first; p < first + of; p++) {
      int[] mine = levels[order[p]];
      long sum = 0;
      for (int r = 0; r < mine.length; r++) {
        sum += Math.max(limits[p][r], mine[r]);
      }
      own[p] = sum;
    }
  }

  /** Makes the best exchanges of which no two touch a group; returns all touched positions. */
  private int[] exchange() {
    int[] candidates =
        IntStream.range(0, positions)
            .filter(p -> gain[p] > 0 && p < partner[p] || gain[p] > 0 && partner[partner[p]] != p)
            .boxed()
            .sorted(Comparator.comparingLong((Integer p) -> -gain[p]).thenComparing(p -> p))
            .mapToInt(p -> p)
            .toArray();
    boolean[] used = new boolean[positions / of];
    for (int p : candidates) {
      int q = partner[p];
      if (!used[p / of] && !used[q / of]) {
        used[p / of] = true;
        used[q / of] = true;
        swap(p, q);
      }
    }
    return inGroups(used);
  }

  private int[] inGroups(boolean[] groups) {
    return IntStream.range(0, positions).filter(p -> groups[p / of]).toArray();
  }

  private void swap(int p, int q) {
    int column = order[p];
    order[p] = order[q];
    order[q] = column;
  }

  /** Exchanges a few columns at random; returns the touched positions. */
  private int[] kick(SplittableRandom random) {
    boolean[] used = new boolean[positions / of];
    for (int i = 0; i < KICKS; i++) {
      int p = random.nextInt(positions);
      int q = random.nextInt(positions);
      swap(p, q);
      used[p / of] = true;
      used[q / of] = true;
    }
    return inGroups(used);
  }

  /** Goes back to an order; returns the positions that changed. */
  private int[] restore(int[] to) {
    boolean[] used = new boolean[positions / of];
    for (int p = 0; p < positions; p++) {
      used[p / of] |= order[p] != to[p];
    }
    System.arraycopy(to, 0, order, 0, positions);
    return inGroups(used);
  }
}
