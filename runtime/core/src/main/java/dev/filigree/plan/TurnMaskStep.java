package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.kernel.Broadcast;
import dev.filigree.spi.AttentionCall;
import java.lang.foreign.MemorySegment;

/**
 * Puts the queries of an attention's mask beside each other, where vectors that run along queries
 * read them.
 *
 * @param x mask that broadcasts to the scores
 * @param y of the {@linkplain #turned turned} shape
 * @param scores {@code [batch, heads, queries, keys]}
 */
record TurnMaskStep(Slot x, Slot y, Shape scores) implements Step {
  @Override
  public String work() {
    return "to queries";
  }

  /** Shape of a turned mask, {@code [batch or 1, heads or 1, keys or 1, padded queries]}. */
  static Shape turned(Shape mask, Shape scores) {
    long[] steps = Broadcast.strides(mask, scores);
    int lanes = AttentionCall.MASK_LANES;
    return Shape.of(
        steps[0] == 0 ? 1 : scores.extent(0),
        steps[1] == 0 ? 1 : scores.extent(1),
        steps[3] == 0 ? 1 : scores.extent(3),
        Math.ceilDiv(scores.extent(2), lanes) * lanes);
  }

  /** Elements to step in a turned mask along batch, head, query and key; 0 where it repeats. */
  static long[] steps(Shape turned) {
    long[] strides = turned.strides();
    return new long[] {
      turned.extent(0) == 1 ? 0 : strides[0],
      turned.extent(1) == 1 ? 0 : strides[1],
      1,
      turned.extent(2) == 1 ? 0 : strides[2]
    };
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    long[] from = Broadcast.strides(x.shape(), scores);
    long[] to = y.shape().strides();
    int keys = Math.toIntExact(y.shape().extent(2));
    int queries = Math.toIntExact(scores.extent(2));
    int heads = Math.toIntExact(y.shape().extent(1));
    int matrices = Math.toIntExact(y.shape().extent(0) * heads);
    WorkerPool.Body body =
        (item, worker) -> {
          long read = x.offset() + (item / heads * from[0] + item % heads * from[1]) * Float.BYTES;
          long write = y.offset() + item * to[1] * Float.BYTES;
          for (int key = 0; key < keys; key++) {
            for (int query = 0; query < queries; query++) {
              memory.set(
                  DType.FLOAT,
                  write + (key * to[2] + query) * Float.BYTES,
                  memory.get(DType.FLOAT, read + (key * from[3] + query * from[2]) * Float.BYTES));
            }
          }
        };
    return pool -> pool.forEach(matrices, body);
  }
}
