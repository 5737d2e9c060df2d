package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.shape.Gather;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * Sums rows of tables straight into panels. The tables stay where the file has them, in their own
 * encoding; only the rows that are looked up are read.
 *
 * @param node for messages about indices out of range
 * @param tables {@code [rows, features]}
 * @param indices of each table, once the memory is known
 * @param y output, in panels
 */
record EmbeddingStep(
    Kernels kernels,
    Node node,
    List<Weights> tables,
    List<Function<MemorySegment, Tensor>> indices,
    Slot y)
    implements Step {
  @Override
  public boolean takesRagged() {
    return true;
  }

  @Override
  public int scratchFloats() {
    return 2 * y.features();
  }

  @Override
  public long scratchBytes() {
    return (long) Panels.FULL * y.features() * Float.BYTES;
  }

  @Override
  public Panels panels() {
    return y.panels();
  }

  @Override
  public PanelWork bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    Panels panels = y.panels();
    int features = y.features();
    Shape tokens = Shape.of(Arrays.copyOf(y.shape().extents(), y.shape().rank() - 1));
    Sequences sequences = workspace.sequences();
    LookUp[] lookUps = new LookUp[tables.size()];
    for (int t = 0; t < lookUps.length; t++) {
      lookUps[t] = new LookUp(node, tables.get(t), indices.get(t).apply(memory), tokens);
    }
    WorkerPool.Body body =
        (p, worker) -> {
          float[] sum = workspace.floats(worker);
          long rows = workspace.scratch(worker);
          for (int t = 0; t < panels.used(p); t++) {
            int token = panels.start(p) + t;
            sum(lookUps, y.isRagged() ? sequences.place(token) : token, sum, features);
            long row = rows + (long) t * features * Float.BYTES;
            MemorySegment.copy(sum, 0, memory, DType.FLOAT, row, features);
          }
          kernels.toPanel(
              memory,
              rows,
              y.offset() + panels.offset(p, features),
              panels.width(p),
              panels.used(p),
              features);
        };
    return PanelWork.each(panels.count(), body);
  }

  /** Sums the rows of a token; 0 where there is none. */
  private static void sum(LookUp[] lookUps, int token, float[] sum, int features) {
    if (token < 0) {
      Arrays.fill(sum, 0, features, 0);
      return;
    }
    lookUps[0].read(token, sum, 0);
    for (int i = 1; i < lookUps.length; i++) {
      lookUps[i].read(token, sum, features);
      for (int f = 0; f < features; f++) {
        sum[f] += sum[features + f];
      }
    }
  }

  /** One table and the index of each token, broadcast to all tokens. */
  private static final class LookUp {
    private final Node node;
    private final Weights table;
    private final Tensor index;
    private final long[] extents;
    private final long[] strides;

    LookUp(Node node, Weights table, Tensor index, Shape tokens) {
      this.node = node;
      this.table = table;
      this.index = index;
      this.extents = tokens.extents();
      this.strides = Broadcast.strides(index.shape(), tokens);
    }

    void read(long token, float[] into, int at) {
      long element = 0;
      long rest = token;
      for (int axis = extents.length - 1; axis >= 0; axis--) {
        element += rest % extents[axis] * strides[axis];
        rest /= extents[axis];
      }
      long row = Gather.row(node, index.getLong(element), table.rows());
      table.unpackRow((int) row, into, at);
    }
  }
}
