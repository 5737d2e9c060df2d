package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.kernel.BroadcastRows;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;

/**
 * Combines two row-major values that broadcast against each other, row by row, several short rows
 * or a stretch of a long one at a time.
 *
 * @param a left operand, or null where it is kept elsewhere
 * @param b right operand, or null where it is kept elsewhere
 * @param kept an operand outside the memory of a run, read a stretch at a time; or null
 * @param y of the shape they broadcast to
 */
record ArithmeticStep(Kernels kernels, Arithmetic operation, Slot a, Slot b, Tensor kept, Slot y)
    implements Step {
  /** Rows whose places are kept at most. */
  static final long MAX_ROWS = 1 << 16;

  /** Elements of one item of work: a share of the second cache. */
  private static final long STRETCH = 1 << 14;

  @Override
  public long scratchBytes() {
    return kept == null ? 0 : STRETCH * Float.BYTES;
  }

  private Shape shape(Slot operand) {
    return operand == null ? kept.shape() : operand.shape();
  }

  private static long start(Slot operand) {
    return operand == null ? 0 : operand.offset();
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    BroadcastRows rows = BroadcastRows.of(y.shape(), shape(a), shape(b));
    int count = Math.toIntExact(rows.outer().elements());
    long[] lefts = new long[count];
    long[] rights = new long[count];
    rows.walk()
        .forEach(
            (i, at) -> {
              lefts[(int) i] = start(a) + at[0] * Float.BYTES;
              rights[(int) i] = start(b) + at[1] * Float.BYTES;
            });
    Rows work = new Rows(rows, lefts, rights, workspace);
    int stretches = Math.toIntExact(Math.ceilDiv(rows.length(), STRETCH));
    if (stretches > 1) {
      WorkerPool.Body body =
          (item, worker) -> work.stretch(item / stretches, item % stretches * STRETCH, worker);
      return pool -> pool.forEach(Math.multiplyExact(count, stretches), body);
    }
    int together = Math.toIntExact(Math.max(1, STRETCH / Math.max(1, rows.length())));
    int items = Math.ceilDiv(count, together);
    WorkerPool.Body body =
        (item, worker) -> {
          int end = Math.min(count, (item + 1) * together);
          for (int row = item * together; row < end; row++) {
            work.stretch(row, 0, worker);
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

    void stretch(int row, long from, int worker) {
      long at = from * Float.BYTES;
      long count = Math.min(STRETCH, rows.length() - from);
      int stepA = rows.steps()[0];
      int stepB = rows.steps()[1];
      kernels.combine(
          operation,
          workspace.memory(),
          place(a, lefts[row] + at * stepA, stepA * count, worker),
          stepA,
          place(b, rights[row] + at * stepB, stepB * count, worker),
          stepB,
          y.offset() + row * rows.length() * Float.BYTES + at,
          count);
    }

    /** Where elements of an operand lie in the memory of the run. */
    private long place(Slot operand, long at, long count, int worker) {
      if (operand != null) {
        return at;
      }
      long scratch = workspace.scratch(worker);
      long bytes = Math.max(1, count) * Float.BYTES;
      MemorySegment.copy(kept.data(), at, workspace.memory(), scratch, bytes);
      return scratch;
    }
  }
}
