package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.CellRows;
import java.lang.foreign.MemorySegment;

/**
 * Some sequences of a recurrent layer that run side by side in one direction, and their states:
 *
 * <pre>
 *   room of a direction:  states of even steps [batch] | of odd steps [batch] | cells [batch]
 * </pre>
 *
 * Those that have ended are left out of the steps that follow, and keep the state they ended with.
 */
final class SequenceGroup {
  private final RecurrentStep layer;
  private final MemorySegment memory;
  private final int direction;
  private final int first;
  private final int last;
  private final int[] lengths;
  private final Tensor initialH;
  private final Tensor initialC;
  private final CellKernel cell;
  private final CellRows rows = new CellRows();
  private final boolean backward;
  private final int hidden;
  private final long pitch;
  private final long states;

  /** Where this direction's sums lie among those of a token, and bytes of all of them. */
  private final long sums;

  private final long sumsPitch;

  /**
   * A group.
   *
   * @param first sequence of it
   * @param lengths of all sequences, known when a run begins
   * @param initialH see {@link RecurrentStep}
   * @param initialC see {@link RecurrentStep}
   */
  SequenceGroup(
      RecurrentStep layer,
      MemorySegment memory,
      int direction,
      int first,
      int[] lengths,
      Tensor initialH,
      Tensor initialC) {
    this.layer = layer;
    this.memory = memory;
    this.direction = direction;
    this.first = first;
    this.last = Math.min(layer.batch(), first + CellRows.MOST);
    this.lengths = lengths;
    this.initialH = initialH;
    this.initialC = initialC;
    this.cell = layer.cells().get(direction);
    this.backward = layer.reversed() || direction == 1;
    this.hidden = cell.cell().hidden();
    this.pitch = RecurrentStep.pitch(cell);
    long before = 0;
    long all = 0;
    long roomBefore = 0;
    for (int d = 0; d < layer.cells().size(); d++) {
      long own = (long) layer.cells().get(d).sums() * Float.BYTES;
      before += d < direction ? own : 0;
      roomBefore +=
          d < direction ? RecurrentStep.stateBytes(layer.cells().get(d), layer.batch()) : 0;
      all += own;
    }
    this.sums = layer.sums().offset() + before;
    this.sumsPitch = all;
    this.states = layer.room().offset() + roomBefore;
  }

  CellKernel cell() {
    return cell;
  }

  CellRows rows() {
    return rows;
  }

  /** How many sequences there are. */
  int size() {
    return last - first;
  }

  private long state(int step, int sequence) {
    return states + ((long) (step & 1) * layer.batch() + sequence) * pitch;
  }

  private long cellOf(int sequence) {
    return states + (2L * layer.batch() + sequence) * pitch;
  }

  /** Puts the states before the first step in place, and zeros where no step will write. */
  void begin() {
    for (int b = first; b < last; b++) {
      load(initialH, b, state(0, b));
      load(initialC, b, cellOf(b));
      for (int t = lengths[b]; layer.y() != null && t < layer.steps(); t++) {
        clear(output(t, b), hidden);
      }
    }
  }

  private void load(Tensor initial, int sequence, long to) {
    int from = 0;
    if (initial != null) {
      long at = place(sequence) * hidden * Float.BYTES;
      MemorySegment.copy(initial.data(), at, memory, to, (long) hidden * Float.BYTES);
      from = hidden;
    }
    clear(to + (long) from * Float.BYTES, cell.padded() - from);
  }

  private void clear(long to, int count) {
    for (int i = 0; i < count; i++) {
      memory.set(DType.FLOAT, to + (long) i * Float.BYTES, 0f);
    }
  }

  /** Where a sequence's state is among those of all sequences and directions. */
  private long place(int sequence) {
    int directions = layer.cells().size();
    return layer.batchFirst()
        ? (long) sequence * directions + direction
        : (long) direction * layer.batch() + sequence;
  }

  /** Finds the values of the sequences that have such a step; false if none has. */
  boolean prepare(int step) {
    rows.clear();
    for (int b = first; b < last; b++) {
      if (step < lengths[b]) {
        // a sequence that runs backward starts at its own last step
        int t = backward ? lengths[b] - 1 - step : step;
        long token =
            layer.batchFirst() ? (long) b * layer.steps() + t : (long) t * layer.batch() + b;
        rows.add(
            sums + token * sumsPitch,
            state(step, b),
            state(step + 1, b),
            cellOf(b),
            layer.y() == null ? -1 : output(t, b));
      }
    }
    return rows.count() > 0;
  }

  private long output(int t, int sequence) {
    int directions = layer.cells().size();
    long row =
        layer.batchFirst()
            ? ((long) sequence * layer.steps() + t) * directions + direction
            : ((long) t * directions + direction) * layer.batch() + sequence;
    return layer.y().offset() + row * hidden * Float.BYTES;
  }

  /** Writes the states that the sequences ended with. */
  void end() {
    long bytes = (long) hidden * Float.BYTES;
    for (int b = first; b < last; b++) {
      if (layer.lastH() != null) {
        long to = layer.lastH().offset() + place(b) * bytes;
        MemorySegment.copy(memory, state(lengths[b], b), memory, to, bytes);
      }
      if (layer.lastC() != null) {
        long to = layer.lastC().offset() + place(b) * bytes;
        MemorySegment.copy(memory, cellOf(b), memory, to, bytes);
      }
    }
  }
}
