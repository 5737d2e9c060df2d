package dev.filigree.plan;

import dev.filigree.kernel.BroadcastRows;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.Kernels;

/**
 * Combines two row-major values that broadcast against each other, row by row, several short rows
 * or a stretch of a long one at a time.
 *
 * @param y of the shape they broadcast to
 */
record ArithmeticStep(Kernels kernels, Arithmetic operation, Slot a, Slot b, Slot y)
    implements Step {
  /** Rows whose places are kept at most. */
  static final long MAX_ROWS = 1 << 16;

  /** Elements of one item of work: a share of the second cache. */
  private static final long STRETCH = 1 << 14;

  @Override
  public BoundStep bind(Workspace workspace) {
    BroadcastRows rows = BroadcastRows.of(y.shape(), a.shape(), b.shape());
    int count = Math.toIntExact(rows.outer().elements());
    long[] lefts = new long[count];
    long[] rights = new long[count];
    rows.walk()
        .forEach(
            (i, at) -> {
              lefts[(int) i] = a.offset() + at[0] * Float.BYTES;
              rights[(int) i] = b.offset() + at[1] * Float.BYTES;
            });
    Rows work = new Rows(rows, lefts, rights, workspace);
    int stretches = Math.toIntExact(Math.ceilDiv(rows.length(), STRETCH));
    if (stretches > 1) {
      WorkerPool.Body body =
          (item, worker) -> work.stretch(item / stretches, item % stretches * STRETCH);
      return pool -> pool.forEach(Math.multiplyExact(count, stretches), body);
    }
    int together = Math.toIntExact(Math.max(1, STRETCH / Math.max(1, rows.length())));
    int items = Math.ceilDiv(count, together);
    WorkerPool.Body body =
        (item, worker) -> {
          int end = Math.min(count, (item + 1) * together);
          for (int row = item * together; row < end; row++) {
            work.stretch(row, 0);
          }
        };
    return pool -> pool.forEach(items, body);
  }

  /** The rows with their places in a workspace. */
  private final class Rows {
    private final BroadcastRows rows;
    private final long[] lefts;
    private final long[] rights;
    private final Workspace workspace;

    Rows(BroadcastRows rows, long[] lefts, long[] rights, Workspace workspace) {
      this.rows = rows;
      this.lefts = lefts;
      this.rights = rights;
      this.workspace = workspace;
    }

    void stretch(int row, long from) {
      long at = from * Float.BYTES;
      kernels.combine(
          operation,
          workspace.memory(),
          lefts[row] + at * rows.steps()[0],
          rows.steps()[0],
          rights[row] + at * rows.steps()[1],
          rows.steps()[1],
          y.offset() + row * rows.length() * Float.BYTES + at,
          Math.min(STRETCH, rows.length() - from));
    }
  }
}
