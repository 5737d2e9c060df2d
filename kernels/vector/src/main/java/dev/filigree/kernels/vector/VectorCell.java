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
  private final long row;

  private final long[] weights;
  private final long lateBias;
  private final long peepholes;
  private final MemorySegment memory;

  private VectorCell(Cell cell, int units) {
    this.cell = cell;
    this.kind = cell.kind();
    this.units = units;
    this.row = (long) units * Float.BYTES;
    long all = (long) padded() * Float.BYTES;
    long product = (long) kind.gates() * cell.hidden() * all;
    this.bytes = product + (cell.lateBias() == null ? 0 : all) + (has() ? 3 * all : 0);
    this.memory = Arena.ofAuto().allocate(Math.max(bytes, 1), 64);
    this.weights = new long[kind.phases()];
    long at = 0;
    for (int phase = 0; phase < weights.length; phase++) {
      weights[phase] = memory.address() + at;
      at = putWeights(phase, at);
    }
    this.lateBias = cell.lateBias() == null ? 0 : memory.address() + at;
    if (lateBias != 0) {
      at = put(cell.lateBias(), 0, at);
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

  private int gates(int phase) {
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
          at += row;
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
    return CellRows.MOST * kind.gates() * row;
  }

  @Override
  public void step(int phase, int slice, CellRows rows, MemorySegment memory, long scratch) {
    long base = memory.address();
    int sums = gates(phase) * units;
    long w = weights[phase] + (long) slice * cell.hidden() * sums * Float.BYTES;
    long s = base + scratch;
    CellTiles.multiply(base, rows, phase > 0, w, cell.hidden(), sums, s);
    long at = slice * row;
    boolean last = phase == kind.phases() - 1;
    for (int r = 0; r < rows.count(); r++, s += (long) sums * Float.BYTES) {
      long x = base + rows.sums(r) + kind.gates() * at;
      long state = base + rows.state(r) + at;
      long next = base + rows.next(r) + at;
      long c = base + rows.cell(r) + at;
      switch (kind) {
        case RNN -> CellGates.tanh(x, s, next, row, cell.limit());
        case RNN_RELU -> CellGates.relu(x, s, next, row, cell.limit());
        case GRU -> gru(phase, x, s, state, next, c);
        case GRU_LATE -> gruLate(x, s, state, next, at);
        case LSTM -> lstm(x, s, next, c, at);
      }
      if (last && rows.output(r) >= 0) {
        CellGates.copy(next, base + rows.output(r) + at, used(slice));
      }
    }
  }

  /** In the first phase the new state's place keeps the update gate. */
  private void gru(int phase, long x, long s, long state, long next, long c) {
    if (phase == 0) {
      CellGates.sigmoid(x, s, 2 * row, cell.limit());
      CellGates.copy(s, next, units);
      CellGates.reset(s + row, state, c, row);
    } else {
      CellGates.tanh(x + 2 * row, s, s, row, cell.limit());
      CellGates.mix(next, s, state, next, row);
    }
  }

  private void gruLate(long x, long s, long state, long next, long at) {
    CellGates.sigmoid(x, s, 2 * row, cell.limit());
    if (lateBias == 0) {
      CellGates.reset(s + row, s + 2 * row, s + 2 * row, row);
    } else {
      CellGates.resetLate(s + row, lateBias + at, s + 2 * row, row);
    }
    CellGates.tanh(x + 2 * row, s + 2 * row, s + 2 * row, row, cell.limit());
    CellGates.mix(s, s + 2 * row, state, next, row);
  }

  private void lstm(long x, long s, long next, long c, long at) {
    float limit = cell.limit();
    long out = s + row;
    long forget = s + 2 * row;
    long candidate = s + 3 * row;
    if (peepholes == 0) {
      CellGates.sigmoid(x, s, 3 * row, limit);
    } else {
      long gate = (long) padded() * Float.BYTES;
      CellGates.peep(peepholes + at, c, s, row);
      CellGates.sigmoid(x, s, row, limit);
      CellGates.peep(peepholes + 2 * gate + at, c, forget, row);
      CellGates.sigmoid(x + 2 * row, forget, row, limit);
    }
    CellGates.tanh(x + 3 * row, candidate, candidate, row, limit);
    if (cell.coupled()) {
      CellGates.exchange(s, candidate, c, row);
    } else {
      CellGates.keep(s, forget, candidate, c, row);
    }
    if (peepholes != 0) {
      CellGates.peep(peepholes + (long) padded() * Float.BYTES + at, c, out, row);
      CellGates.sigmoid(x + row, out, row, limit);
    }
    CellGates.emit(out, c, next, row, limit);
  }
}
