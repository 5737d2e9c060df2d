package dev.filigree.plan;

import dev.filigree.kernel.Activation;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.AttentionCall;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import java.util.function.Function;

/** The steps of a plan that run one kernel over panels or over stretches of values. */
final class PanelSteps {
  /** Values of one item of elementwise work: a share of the second cache. */
  private static final long STRETCH = 1 << 14;

  private PanelSteps() {}

  /** Normalises every token. */
  record LayerNormalization(
      Kernels kernels, Slot x, Slot y, float[] scale, float[] bias, float epsilon) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public Panels panels() {
      return x.panels();
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      Panels panels = x.panels();
      int features = x.features();
      WorkerPool.Body body =
          (p, worker) -> {
            long panel = panels.offset(p, features);
            kernels.layerNormalization(
                memory,
                x.offset() + panel,
                y.offset() + panel,
                panels.width(p),
                features,
                scale,
                bias,
                epsilon);
          };
      return PanelWork.each(panels.count(), body);
    }
  }

  /**
   * Attention, divided by sequences and heads.
   *
   * @param operands makes the call once the memory is known
   * @param ragged whether each row has tokens of its own number
   * @param scratchFloats of one worker
   * @param scratchBytes of one worker
   */
  record Attention(
      Kernels kernels,
      Function<MemorySegment, AttentionCall> operands,
      int batch,
      int heads,
      boolean ragged,
      int scratchFloats,
      long scratchBytes)
      implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public BoundStep bind(Workspace workspace) {
      AttentionCall call = operands.apply(workspace.memory());
      if (ragged) {
        return pool -> pool.forEach(batch * heads, ofRows(workspace, call));
      }
      WorkerPool.Body body =
          (item, worker) ->
              kernels.attend(
                  call,
                  item / heads,
                  item % heads,
                  workspace.floats(worker),
                  workspace.scratch(worker));
      return pool -> pool.forEach(batch * heads, body);
    }

    /** Each row as a batch of its own, with the tokens that it has in this run. */
    private WorkerPool.Body ofRows(Workspace workspace, AttentionCall call) {
      Sequences sequences = workspace.sequences();
      AttentionCall[] rows = new AttentionCall[batch];
      for (int row = 0; row < batch; row++) {
        rows[row] = call.only(row, sequences.start(row), sequences.length(row));
      }
      return (item, worker) -> {
        if (rows[item / heads].queries() > 0) {
          kernels.attend(
              rows[item / heads],
              0,
              item % heads,
              workspace.floats(worker),
              workspace.scratch(worker));
        }
      };
    }
  }

  /** Combines two values of the same shape and layout. */
  record Combine(Kernels kernels, Arithmetic operation, Slot a, Slot b, Slot y) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public Panels panels() {
      return y.panels();
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      return stretches(
          y,
          (at, count) ->
              kernels.combine(
                  operation,
                  memory,
                  a.offset() + at,
                  1,
                  b.offset() + at,
                  1,
                  y.offset() + at,
                  count));
    }
  }

  /** Clamps a multiple of every element. */
  record Clamp(Kernels kernels, Slot x, Slot y, float factor, float shift, float low, float high)
      implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public Panels panels() {
      return y.panels();
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      return stretches(
          y,
          (at, count) ->
              kernels.clamp(
                  memory, x.offset() + at, y.offset() + at, count, factor, shift, low, high));
    }
  }

  /** Applies a function to every element. */
  record Activate(Kernels kernels, Activation activation, Slot x, Slot y) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public Panels panels() {
      return y.panels();
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      return stretches(
          y,
          (at, count) -> {
            MemorySegment.copy(
                memory, x.offset() + at, memory, y.offset() + at, count * Float.BYTES);
            kernels.activate(activation, memory, y.offset() + at, count);
          });
    }
  }

  /** Softmax over the last axis of a row-major value. */
  record Softmax(Kernels kernels, Slot x, Slot y) implements Step {
    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      int count = x.features();
      long rows = count == 0 ? 0 : x.length() / count;
      long rowsPerItem = Math.max(1, STRETCH / Math.max(1, count));
      int items = Math.toIntExact((rows + rowsPerItem - 1) / rowsPerItem);
      WorkerPool.Body body =
          (item, worker) -> {
            long end = Math.min(rows, (item + 1) * rowsPerItem);
            for (long row = item * rowsPerItem; row < end; row++) {
              long at = row * count * Float.BYTES;
              kernels.softmax(memory, x.offset() + at, y.offset() + at, count);
            }
          };
      return pool -> pool.forEach(items, body);
    }
  }

  /**
   * Takes some neighbouring features of every token.
   *
   * @param start the first of x that y has
   */
  record Part(Slot x, Slot y, int start) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public Panels panels() {
      return x.panels();
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      Panels panels = x.panels();
      WorkerPool.Body body =
          (p, worker) -> {
            long token = (long) panels.width(p) * Float.BYTES;
            MemorySegment.copy(
                memory,
                x.offset() + panels.offset(p, x.features()) + start * token,
                memory,
                y.offset() + panels.offset(p, y.features()),
                y.features() * token);
          };
      return PanelWork.each(panels.count(), body);
    }
  }

  /** Puts a row-major value in panels. */
  record ToPanels(Kernels kernels, Slot x, Slot y) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public String work() {
      return "to panels";
    }

    @Override
    public Panels panels() {
      return y.panels();
    }

    @Override
    public long scratchBytes() {
      return y.isRagged() ? (long) Panels.FULL * y.features() * Float.BYTES : 0;
    }

    @Override
    public PanelWork bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      Panels panels = y.panels();
      int features = y.features();
      if (y.isRagged()) {
        WorkerPool.Body chosen =
            (p, worker) ->
                workspace.sequences().toPanel(kernels, memory, x, y, p, workspace.scratch(worker));
        return PanelWork.each(panels.count(), chosen);
      }
      WorkerPool.Body body =
          (p, worker) ->
              kernels.toPanel(
                  memory,
                  x.offset() + panels.offset(p, features),
                  y.offset() + panels.offset(p, features),
                  panels.width(p),
                  panels.used(p),
                  features);
      return PanelWork.each(panels.count(), body);
    }
  }

  /** Puts a value in panels in row-major order. */
  record ToRows(Kernels kernels, Slot x, Slot y) implements Step {
    @Override
    public boolean takesRagged() {
      return true;
    }

    @Override
    public String work() {
      return "to rows";
    }

    @Override
    public Panels panels() {
      return x.isRagged() ? null : x.panels();
    }

    @Override
    public long scratchBytes() {
      return x.isRagged() ? (long) Panels.FULL * x.features() * Float.BYTES : 0;
    }

    @Override
    public BoundStep bind(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      if (x.isRagged()) {
        return ragged(workspace);
      }
      WorkerPool.Body body = (p, worker) -> toRows(kernels, x, p, memory, memory, y.offset());
      return PanelWork.each(x.panels().count(), body);
    }

    private BoundStep ragged(Workspace workspace) {
      MemorySegment memory = workspace.memory();
      Sequences sequences = workspace.sequences();
      WorkerPool.Body padding = (row, worker) -> sequences.clear(memory, y, row);
      WorkerPool.Body tokens =
          (p, worker) -> sequences.toRows(kernels, memory, x, y, p, workspace.scratch(worker));
      return pool -> {
        pool.forEach(sequences.rows(), padding);
        pool.forEach(x.panels().count(), tokens);
      };
    }
  }

  /** Moves one panel of a value into row-major memory. */
  static void toRows(
      Kernels kernels, Slot x, int panel, MemorySegment memory, MemorySegment target, long rows) {
    Panels panels = x.panels();
    int features = x.features();
    kernels.fromPanel(
        memory,
        x.offset() + panels.offset(panel, features),
        panels.width(panel),
        panels.used(panel),
        features,
        target,
        rows + panels.offset(panel, features));
  }

  /** Works on a stretch of values. */
  @FunctionalInterface
  interface Stretch {
    void run(long byteOffset, long count);
  }

  /** Work on stretches of consecutive values of a slot, as wide as it says, that threads share. */
  static PanelWork stretches(Slot slot, Stretch stretch) {
    long length = slot.length();
    int items = Math.toIntExact((length + STRETCH - 1) / STRETCH);
    WorkerPool.Body body =
        (item, worker) ->
            stretch.run(item * STRETCH * Float.BYTES, Math.min(STRETCH, length - item * STRETCH));
    return new PanelWork() {
      @Override
      public void run(WorkerPool pool) {
        pool.forEach(items, body);
      }

      @Override
      public void run(int from, int to, int worker) {
        long first = slot.panels().offset(from, slot.features());
        long end = slot.panels().offset(to - 1, slot.features());
        long last = (long) slot.panels().width(to - 1) * slot.features();
        stretch.run(first, (end - first) / Float.BYTES + last);
      }
    };
  }
}
