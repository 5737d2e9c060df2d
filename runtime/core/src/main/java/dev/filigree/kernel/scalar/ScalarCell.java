package dev.filigree.kernel.scalar;

import static dev.filigree.kernel.scalar.ScalarKernels.get;
import static dev.filigree.kernel.scalar.ScalarKernels.set;

import dev.filigree.kernel.Activation;
import dev.filigree.spi.Cell;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.CellRows;
import java.lang.foreign.MemorySegment;

/** A cell of a recurrent layer in plain Java, with its weights as they are. */
record ScalarCell(Cell cell) implements CellKernel {
  private static final int UNITS = 16;

  @Override
  public int units() {
    return UNITS;
  }

  @Override
  public long bytes() {
    return (long) cell.weights().length * Float.BYTES;
  }

  @Override
  public long scratchBytes() {
    return 0;
  }

  @Override
  public void step(int phase, int slice, CellRows rows, MemorySegment memory, long scratch) {
    for (int row = 0; row < rows.count(); row++) {
      for (int unit = 0; unit < used(slice); unit++) {
        int place = slice * UNITS + unit;
        long at = (long) place * Float.BYTES;
        unit(phase, place, new Sums(memory, rows, row, slice, unit), memory, at);
        if (phase == cell.kind().phases() - 1 && rows.output(row) >= 0) {
          set(memory, rows.output(row) + at, get(memory, rows.next(row) + at));
        }
      }
    }
  }

  private void unit(int phase, int place, Sums sums, MemorySegment memory, long at) {
    long next = sums.rows.next(sums.row) + at;
    long c = sums.rows.cell(sums.row) + at;
    double before = get(memory, sums.rows.state(sums.row) + at);
    switch (cell.kind()) {
      case RNN -> set(memory, next, activate(Activation.TANH, sums.of(0, false)));
      case RNN_RELU -> set(memory, next, activate(Activation.RELU, sums.of(0, false)));
      case GRU -> {
        if (phase == 0) {
          set(memory, next, activate(Activation.SIGMOID, sums.of(0, false)));
          set(memory, c, activate(Activation.SIGMOID, sums.of(1, false)) * before);
        } else {
          double candidate = activate(Activation.TANH, sums.of(2, true));
          double update = get(memory, next);
          set(memory, next, (1 - update) * candidate + update * before);
        }
      }
      case GRU_LATE -> {
        double update = activate(Activation.SIGMOID, sums.of(0, false));
        double reset = activate(Activation.SIGMOID, sums.of(1, false));
        double bias = cell.lateBias() == null ? 0 : cell.lateBias()[place];
        double share = reset * (sums.ofState(2, false) + bias);
        double candidate = activate(Activation.TANH, sums.ofInput(2) + share);
        set(memory, next, (1 - update) * candidate + update * before);
      }
      case LSTM -> {
        double old = get(memory, c);
        double in = activate(Activation.SIGMOID, sums.of(0, false) + cell.peephole(0, place) * old);
        double forget =
            cell.coupled()
                ? 1 - in
                : activate(Activation.SIGMOID, sums.of(2, false) + cell.peephole(2, place) * old);
        double candidate = activate(Activation.TANH, sums.of(3, false));
        double now = forget * old + in * candidate;
        double out =
            activate(Activation.SIGMOID, sums.of(1, false) + cell.peephole(1, place) * now);
        set(memory, c, now);
        set(memory, next, out * activate(Activation.TANH, now));
      }
    }
  }

  private double activate(Activation activation, double x) {
    return activation.apply(Math.clamp(x, -(double) cell.limit(), (double) cell.limit()));
  }

  /** Sums of the gates of a unit of a sequence. */
  private final class Sums {
    private final MemorySegment memory;
    private final CellRows rows;
    private final int row;
    private final int slice;
    private final int unit;

    Sums(MemorySegment memory, CellRows rows, int row, int slice, int unit) {
      this.memory = memory;
      this.rows = rows;
      this.row = row;
      this.slice = slice;
      this.unit = unit;
    }

    /**
     * The sum of a gate.
     *
     * @param reset whether it reads what the reset gate left of the state
     */
    double of(int gate, boolean reset) {
      return ofInput(gate) + ofState(gate, reset);
    }

    double ofInput(int gate) {
      long place = ((long) slice * cell.kind().gates() + gate) * UNITS + unit;
      return get(memory, rows.sums(row) + place * Float.BYTES);
    }

    double ofState(int gate, boolean reset) {
      int hidden = cell.hidden();
      int from = (gate * hidden + slice * UNITS + unit) * hidden;
      long state = reset ? rows.cell(row) : rows.state(row);
      double sum = 0;
      for (int k = 0; k < hidden; k++) {
        sum += (double) cell.weights()[from + k] * get(memory, state + (long) k * Float.BYTES);
      }
      return sum;
    }
  }
}
