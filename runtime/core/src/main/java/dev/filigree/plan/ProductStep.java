package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.kernel.math.MatMul;
import dev.filigree.spi.Kernels;

/**
 * Multiplies pairs of matrices that are both made while the network runs, divided by pairs and
 * rows.
 *
 * @param a left matrices {@code [..., m, k]}
 * @param b right matrices {@code [..., k, n]}; leading axes broadcast
 * @param y products {@code [..., m, n]}
 */
record ProductStep(Kernels kernels, Slot a, Slot b, Slot y) implements Step {
  /** Rows that a thread takes at a time. */
  private static final int ROWS = 32;

  /** Multiplications below which waking another thread costs more than it saves. */
  private static final long SMALL = 1 << 17;

  @Override
  public BoundStep bind(Workspace workspace) {
    Shape left = a.shape();
    Shape right = b.shape();
    int m = Math.toIntExact(left.extent(-2));
    int k = Math.toIntExact(left.extent(-1));
    int n = Math.toIntExact(right.extent(-1));
    int pairs = Math.toIntExact(y.shape().elements() / ((long) m * n));
    long[] lefts = new long[pairs];
    long[] rights = new long[pairs];
    MatMul.pairs(left, right)
        .forEach(
            (i, at) -> {
              lefts[(int) i] = a.offset() + at[0] * m * k * Float.BYTES;
              rights[(int) i] = b.offset() + at[1] * k * n * Float.BYTES;
            });
    int parts = Math.ceilDiv(m, ROWS);
    int items = Math.multiplyExact(pairs, parts);
    WorkerPool.Body body =
        (item, worker) -> {
          int pair = item / parts;
          int row = item % parts * ROWS;
          kernels.product(
              workspace.memory(),
              lefts[pair] + (long) row * k * Float.BYTES,
              rights[pair],
              y.offset() + ((long) pair * m + row) * n * Float.BYTES,
              Math.min(ROWS, m - row),
              n,
              k);
        };
    if (y.shape().elements() * k >= SMALL) {
      return pool -> pool.forEach(items, body);
    }
    return pool -> {
      for (int item = 0; item < items; item++) {
        body.run(item, 0);
      }
    };
  }
}
