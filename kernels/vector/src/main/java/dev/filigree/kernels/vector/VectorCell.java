package dev.filigree.kernels.vector;

import dev.filigree.DType;
import dev.filigree.spi.Cell;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.CellRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A cell of a recurrent layer by vectors along its units. The weights lie in the order in which a
 * slice reads them, padded to whole slices with zeros:
 *
 * <pre>
 *   phase 0: slice 0: k0: gate 0: u0 u1 .. | gate 1: u0 u1 .. | ..   k1: ..   slice 1: ..
 *   phase 1: ..
 *   bias     of the late share [padded]
 *   peepholes  i [padded] | o [padded] | f [padded]
 * </pre>
 *
 * They are off the heap, where an address needs no check of bounds.
 */
final class VectorCell implements CellKernel {
  /** Sums of a slice, about: four of the widest vectors, which hide each other's latency. */
  private static final int SUMS = 64;

  private final Cell cell;
  private final Cell.Kind kind;
  private final int units;
  private final long bytes;

  /** Bytes of the units of a slice. */
  private final long width;

  private final long[] weights;
  private final long lateBias;
  private final long peepholes;
  private final MemorySegment memory;

  private VectorCell(Cell cell, int units) {
    this.cell = cell;
    this.kind = cell.kind();
    this.units = units;
    this.width = (long) units * Float.BYTES;
    long all = (long) padded() * Float.BYTES;
    long product = (long) kind.gates() * cell.hidden() * all;
    this.bytes = product + (kind == Cell.Kind.GRU_LATE ? all : 0) + (has() ? 3 * all : 0);
    this.memory = Arena.ofAuto().allocate(Math.max(bytes, 1), 64);
    this.weights = new long[kind.phases()];
    long at = 0;
    for (int phase = 0; phase < weights.length; phase++) {
      weights[phase] = memory.address() + at;
      at = putWeights(phase, at);
    }
    this.lateBias = memory.address() + at;
    if (kind == Cell.Kind.GRU_LATE) {
      // zeros where the cell has none
      at = cell.lateBias() == null ? at + all : put(cell.lateBias(), 0, at);
    }
    this.peepholes = has() ? memory.address() + at : 0;
    for (int gate = 0; has() && gate < 3; gate++) {
      at = put(cell.peepholes(), gate * cell.hidden(), at);
    }
  }

  private boolean has() {
    return cell.peepholes() != null;
  }

  /** Lays a cell's weights out. */
  static VectorCell pack(Cell cell) {
    int units =
        switch (cell.kind()) {
          // the sums are whole pairs of vectors
          case RNN, RNN_RELU -> Math.max(SUMS, 2 * Lanes.COUNT);
          case GRU, GRU_LATE -> Math.max(SUMS / 2, 2 * Lanes.COUNT);
          case LSTM -> Math.max(SUMS / 4, Lanes.COUNT);
        };
    return new VectorCell(cell, units);
  }

  private int firstGate(int phase) {
    return phase == 0 ? 0 : 2;
  }

  /** Gates that a phase computes. */
  int gates(int phase) {
    return kind.phases() == 1 ? kind.gates() : phase == 0 ? 2 : 1;
  }

  private long putWeights(int phase, long at) {
    int hidden = cell.hidden();
    for (int slice = 0; slice < slices(); slice++) {
      for (int k = 0; k < hidden; k++) {
        for (int gate = firstGate(phase); gate < firstGate(phase) + gates(phase); gate++) {
          for (int unit = 0; unit < used(slice); unit++) {
            int from = (gate * hidden + slice * units + unit) * hidden + k;
            memory.set(DType.FLOAT, at + (long) unit * Float.BYTES, cell.weights()[from]);
          }
          at += width;
        }
      }
    }
    return at;
  }

  private long put(float[] values, int from, long at) {
    MemorySegment.copy(values, from, memory, DType.FLOAT, at, cell.hidden());
    return at + (long) padded() * Float.BYTES;
  }

  @Override
  public Cell cell() {
    return cell;
  }

  @Override
  public int units() {
    return units;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public long scratchBytes() {
    return CellRows.MOST * kind.gates() * width;
  }

  @Override
  public void step(int phase, int slice, CellRows rows, MemorySegment memory, long scratch) {
    long base = memory.address();
    CellGates.step(this, phase, slice, rows, base, base + scratch);
  }

  /** Bytes of the units of a slice. */
  long width() {
    return width;
  }

  /** Address of the weights of a slice. */
  long weights(int phase, int slice) {
    return weights[phase] + slice * gates(phase) * width * cell.hidden();
  }

  /** Address of the biases of the late share. */
  long lateBias() {
    return lateBias;
  }

  /** Address of the peepholes of a gate, or 0. */
  long peepholes(int gate) {
    return peepholes == 0 ? 0 : peepholes + (long) gate * padded() * Float.BYTES;
  }
}
