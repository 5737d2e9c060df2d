package dev.filigree.plan;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.CellRows;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;

/**
 * Runs the sequences of a recurrent layer, in groups of a few, from the sums that their inputs made
 * of all gates. Where there are as many groups as threads, each thread runs some from their first
 * step to their last; else the slices of a step are divided, if a step is worth it. What a state is
 * computed from never depends on the division.
 *
 * @param node for errors
 * @param cells one for each direction
 * @param reversed whether the first direction begins at the end
 * @param batchFirst whether the batch stands before the steps
 * @param sums of the inputs {@code [tokens, sums of all directions]}, a token for each step and
 *     sequence in the order of the layer's input
 * @param lengths of the sequences, integers {@code [batch]}; or null
 * @param initialH states at the beginning, or null for 0
 * @param initialC an LSTM's cells at the beginning, or null for 0
 * @param room for states, see {@link #stateBytes}
 * @param y states of all steps, or null
 * @param lastH states at the end, or null
 * @param lastC cells at the end, or null
 */
record RecurrentStep(
    Node node,
    List<CellKernel> cells,
    boolean reversed,
    boolean batchFirst,
    int steps,
    int batch,
    Slot sums,
    Function<MemorySegment, Tensor> lengths,
    Function<MemorySegment, Tensor> initialH,
    Function<MemorySegment, Tensor> initialC,
    Slot room,
    Slot y,
    Slot lastH,
    Slot lastC)
    implements Step {
  /** Multiply-adds of a step below which waiting for other threads costs more than they save. */
  private static final long SMALL_STEP = 1 << 17;

  /** Bytes that a direction's states take: the old, the new and the cell. */
  static long stateBytes(CellKernel cell, int batch) {
    return 3 * (long) batch * pitch(cell);
  }

  /** Bytes from one sequence's state to the next. */
  static long pitch(CellKernel cell) {
    return Arenas.aligned((long) cell.padded() * Float.BYTES);
  }

  @Override
  public long scratchBytes() {
    return cells.stream().mapToLong(CellKernel::scratchBytes).max().orElse(0);
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    return new Bound(workspace);
  }

  private final class Bound implements BoundStep {
    private final Workspace workspace;
    private final MemorySegment memory;
    private final Tensor lengthsTensor;
    private final int[] lengthOf = new int[batch];
    private final SequenceGroup[] groups;
    private final long products;
    private final WorkerPool.Body whole = this::whole;
    private final WorkerPool.Body part = this::part;

    // what items are, written before they are given to threads
    private int teams;
    private int parts;
    private int phase;

    Bound(Workspace workspace) {
      this.workspace = workspace;
      this.memory = workspace.memory();
      this.lengthsTensor = lengths == null ? null : lengths.apply(memory);
      Tensor h = initialH == null ? null : initialH.apply(memory);
      Tensor c = initialC == null ? null : initialC.apply(memory);
      int chunks = Math.ceilDiv(batch, CellRows.MOST);
      this.groups = new SequenceGroup[cells.size() * chunks];
      long each = 0;
      for (int i = 0; i < groups.length; i++) {
        groups[i] =
            new SequenceGroup(
                RecurrentStep.this, memory, i / chunks, i % chunks * CellRows.MOST, lengthOf, h, c);
        CellKernel cell = cells.get(i / chunks);
        each += (long) groups[i].size() * cell.sums() * cell.cell().hidden();
      }
      this.products = each;
    }

    @Override
    public void run(WorkerPool pool) {
      readLengths();
      boolean few = groups.length < pool.size();
      if (few && products >= SMALL_STEP && cells.getFirst().slices() > 1) {
        together(pool);
        return;
      }
      boolean small = BlockWork.isSmall(products * steps);
      int chunks = groups.length / cells.size();
      teams = small ? 1 : Math.min(chunks, Math.ceilDiv(pool.size(), cells.size()));
      int items = cells.size() * teams;
      if (small) {
        for (int item = 0; item < items; item++) {
          whole(item, 0);
        }
      } else {
        pool.forEach(items, whole);
      }
    }

    private void readLengths() {
      for (int b = 0; b < batch; b++) {
        long length = lengthsTensor == null ? steps : lengthsTensor.getLong(b);
        if (length < 0 || length > steps) {
          throw node.problem(
              "runs " + length + " of " + steps + " steps", "pass lengths that exist");
        }
        lengthOf[b] = (int) length;
      }
    }

    /** Some groups of a direction by themselves. */
    private void whole(int item, int worker) {
      int chunks = groups.length / cells.size();
      int base = item / teams * chunks;
      int from = base + item % teams * chunks / teams;
      int to = base + (item % teams + 1) * chunks / teams;
      CellKernel cell = groups[from].cell();
      for (int group = from; group < to; group++) {
        groups[group].begin();
      }
      for (int step = 0; prepare(from, to, step); step++) {
        for (int of = 0; of < cell.cell().kind().phases(); of++) {
          // a slice of the weights serves all groups while it is in cache
          for (int slice = 0; slice < cell.slices(); slice++) {
            for (int group = from; group < to; group++) {
              cell.step(of, slice, groups[group].rows(), memory, workspace.scratch(worker));
            }
          }
        }
      }
      for (int group = from; group < to; group++) {
        groups[group].end();
      }
    }

    /** All groups step by step, each step divided by slices. */
    private void together(WorkerPool pool) {
      for (SequenceGroup group : groups) {
        group.begin();
      }
      // some more than threads, so that one that starts late has others to take its work
      int wanted = Math.ceilDiv(2 * pool.size(), groups.length);
      parts = Math.min(cells.getFirst().slices(), wanted);
      int phases = cells.getFirst().cell().kind().phases();
      for (int step = 0; prepare(0, groups.length, step); step++) {
        for (phase = 0; phase < phases; phase++) {
          pool.forEach(groups.length * parts, part);
        }
      }
      for (SequenceGroup group : groups) {
        group.end();
      }
    }

    private boolean prepare(int from, int to, int step) {
      boolean any = false;
      for (int group = from; group < to; group++) {
        any |= groups[group].prepare(step);
      }
      return any;
    }

    private void part(int item, int worker) {
      SequenceGroup group = groups[item / parts];
      int slices = group.cell().slices();
      int from = item % parts * slices / parts;
      int to = (item % parts + 1) * slices / parts;
      for (int slice = from; slice < to; slice++) {
        group.cell().step(phase, slice, group.rows(), memory, workspace.scratch(worker));
      }
    }
  }
}
