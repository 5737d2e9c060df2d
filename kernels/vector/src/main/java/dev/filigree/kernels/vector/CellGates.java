package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import dev.filigree.spi.Cell;
import dev.filigree.spi.CellRows;
import jdk.incubator.vector.FloatVector;

/**
 * What the gates of a recurrent layer's cell do for a slice of units, whole vectors always. Each
 * loop goes over all sequences, so that none waits for another, and has one function of {@link
 * VectorMath}: with more a method would go beyond what C2 inlines.
 *
 * <p>Everywhere {@code base} is the address that rows count from, {@code at} the bytes from a
 * state's start to the slice, {@code width} those of the slice's units, {@code x} those from the
 * start of a sequence's sums to the gate, {@code s} the address of the first sequence's share of
 * the state in the gate, and {@code pitch} the bytes from there to the next sequence's.
 */
final class CellGates {
  private CellGates() {}

  private static FloatVector load(long x) {
    return FloatVector.fromMemorySegment(F, ALL, x, ORDER);
  }

  /**
   * A step of a slice. All kinds are in this method, so that it has more bytecodes than C2 inlines:
   * it is compiled by itself, where the directives keep the loops apart, and not with a caller that
   * they say nothing of.
   *
   * @param s address of scratch
   */
  static void step(VectorCell kernel, int phase, int slice, CellRows rows, long base, long s) {
    Cell.Kind kind = kernel.cell().kind();
    float limit = kernel.cell().limit();
    int units = kernel.units();
    long width = kernel.width();
    long pitch = kernel.gates(phase) * width;
    CellTiles.multiply(
        base,
        rows,
        phase > 0,
        kernel.weights(phase, slice),
        kernel.cell().hidden(),
        kernel.gates(phase) * units,
        s);
    long at = slice * width;
    long x = kind.gates() * at;
    if (kind == Cell.Kind.LSTM) {
      long out = s + width;
      long forget = out + width;
      boolean peeps = kernel.peepholes(0) != 0;
      if (peeps) {
        peep(base, rows, at, kernel.peepholes(0) + at, s, pitch, width);
        peep(base, rows, at, kernel.peepholes(2) + at, forget, pitch, width);
        sigmoid(base, rows, x, s, pitch, width, limit);
        sigmoid(base, rows, x + 2 * width, forget, pitch, width, limit);
      } else {
        sigmoid(base, rows, x, s, pitch, 3 * width, limit);
      }
      if (kernel.cell().coupled()) {
        couple(rows, s, forget, pitch, width);
      }
      keep(base, rows, at, x + 3 * width, s, pitch, width, limit);
      if (peeps) {
        // the output gate looks at the new cell
        peep(base, rows, at, kernel.peepholes(1) + at, out, pitch, width);
        sigmoid(base, rows, x + width, out, pitch, width, limit);
      }
      emit(base, rows, at, out, pitch, width, limit);
    } else if (kind == Cell.Kind.GRU_LATE) {
      sigmoid(base, rows, x, s, pitch, 2 * width, limit);
      long bias = kernel.lateBias() + at;
      gruLate(base, rows, at, x + 2 * width, s, bias, pitch, width, limit);
    } else if (kind == Cell.Kind.GRU && phase == 0) {
      sigmoid(base, rows, x, s, pitch, 2 * width, limit);
      reset(base, rows, at, s, pitch, width);
    } else if (kind == Cell.Kind.GRU) {
      gru(base, rows, at, x + 2 * width, s, pitch, width, limit);
    } else if (kind == Cell.Kind.RNN) {
      tanh(base, rows, at, x, s, pitch, width, limit);
    } else {
      relu(base, rows, at, x, s, pitch, width, limit);
    }
    if (phase == kind.phases() - 1) {
      output(base, rows, at, kernel.used(slice));
    }
  }

  /** {@code s = sigmoid(clamp(x + s))}, of neighbouring gates that take so many bytes. */
  static void sigmoid(
      long base, CellRows rows, long x, long s, long pitch, long bytes, float limit) {
    float most = Math.min(limit, VectorMath.GATE_MOST);
    for (int r = 0; r < rows.count(); r++) {
      long sums = base + rows.sums(r) + x;
      long to = s + r * pitch;
      for (long i = 0; i < bytes; i += BYTES) {
        FloatVector sum = load(sums + i).add(load(to + i));
        VectorMath.gate(sum, most).intoMemorySegment(ALL, to + i, ORDER);
      }
    }
  }

  /** A plain state: {@code h = tanh(clamp(x + s))}. */
  static void tanh(
      long base, CellRows rows, long at, long x, long s, long pitch, long width, float limit) {
    float most = Math.min(limit, VectorMath.STATE_MOST);
    for (int r = 0; r < rows.count(); r++) {
      long sums = base + rows.sums(r) + x;
      long from = s + r * pitch;
      long next = base + rows.next(r) + at;
      for (long i = 0; i < width; i += BYTES) {
        FloatVector sum = load(sums + i).add(load(from + i));
        VectorMath.state(sum, most).intoMemorySegment(ALL, next + i, ORDER);
      }
    }
  }

  /** A plain state: {@code h = max(clamp(x + s), 0)}. */
  static void relu(
      long base, CellRows rows, long at, long x, long s, long pitch, long width, float limit) {
    for (int r = 0; r < rows.count(); r++) {
      long sums = base + rows.sums(r) + x;
      long from = s + r * pitch;
      long next = base + rows.next(r) + at;
      for (long i = 0; i < width; i += BYTES) {
        FloatVector sum = load(sums + i).add(load(from + i));
        sum.max(0f).min(limit).intoMemorySegment(ALL, next + i, ORDER);
      }
    }
  }

  /**
   * A GRU's first phase: the update gate waits where the new state will be, and the cell takes what
   * the reset gate leaves of the old one.
   *
   * @param z address of the gates z and r
   */
  static void reset(long base, CellRows rows, long at, long z, long pitch, long width) {
    for (int r = 0; r < rows.count(); r++) {
      long update = z + r * pitch;
      long state = base + rows.state(r) + at;
      long next = base + rows.next(r) + at;
      long cell = base + rows.cell(r) + at;
      for (long i = 0; i < width; i += BYTES) {
        load(update + i).intoMemorySegment(ALL, next + i, ORDER);
        load(update + width + i).mul(load(state + i)).intoMemorySegment(ALL, cell + i, ORDER);
      }
    }
  }

  /** A GRU's second phase: {@code h' = (1 - z) * tanh(clamp(x + s)) + z * h}. */
  static void gru(
      long base, CellRows rows, long at, long x, long s, long pitch, long width, float limit) {
    float most = Math.min(limit, VectorMath.STATE_MOST);
    FloatVector one = FloatVector.broadcast(F, 1f);
    for (int r = 0; r < rows.count(); r++) {
      long sums = base + rows.sums(r) + x;
      long from = s + r * pitch;
      long state = base + rows.state(r) + at;
      long next = base + rows.next(r) + at;
      for (long i = 0; i < width; i += BYTES) {
        FloatVector sum = load(sums + i).add(load(from + i));
        FloatVector candidate = VectorMath.state(sum, most);
        FloatVector update = load(next + i);
        FloatVector kept = update.mul(load(state + i));
        one.sub(update).fma(candidate, kept).intoMemorySegment(ALL, next + i, ORDER);
      }
    }
  }

  /**
   * The same in one phase: {@code h' = (1 - z) * tanh(clamp(x + r * (s + bias))) + z * h}.
   *
   * @param z address of the gates z and r, which the shares of the state follow
   * @param bias address of the biases of these shares
   */
  static void gruLate(
      long base,
      CellRows rows,
      long at,
      long x,
      long z,
      long bias,
      long pitch,
      long width,
      float limit) {
    float most = Math.min(limit, VectorMath.STATE_MOST);
    FloatVector one = FloatVector.broadcast(F, 1f);
    for (int r = 0; r < rows.count(); r++) {
      long sums = base + rows.sums(r) + x;
      long from = z + r * pitch;
      long state = base + rows.state(r) + at;
      long next = base + rows.next(r) + at;
      for (long i = 0; i < width; i += BYTES) {
        FloatVector share = load(from + 2 * width + i).add(load(bias + i));
        FloatVector sum = load(from + width + i).mul(share).add(load(sums + i));
        FloatVector candidate = VectorMath.state(sum, most);
        FloatVector update = load(from + i);
        FloatVector kept = update.mul(load(state + i));
        one.sub(update).fma(candidate, kept).intoMemorySegment(ALL, next + i, ORDER);
      }
    }
  }

  /** Peepholes: {@code s += p * c}. */
  static void peep(long base, CellRows rows, long at, long p, long s, long pitch, long width) {
    for (int r = 0; r < rows.count(); r++) {
      long cell = base + rows.cell(r) + at;
      long to = s + r * pitch;
      for (long i = 0; i < width; i += BYTES) {
        load(p + i).fma(load(cell + i), load(to + i)).intoMemorySegment(ALL, to + i, ORDER);
      }
    }
  }

  /** What an LSTM forgets if its gates are coupled: {@code f = 1 - i}. */
  static void couple(CellRows rows, long in, long forget, long pitch, long width) {
    FloatVector one = FloatVector.broadcast(F, 1f);
    for (int r = 0; r < rows.count(); r++) {
      long from = r * pitch;
      for (long i = from; i < from + width; i += BYTES) {
        one.sub(load(in + i)).intoMemorySegment(ALL, forget + i, ORDER);
      }
    }
  }

  /**
   * An LSTM's cell: {@code c = f * c + i * tanh(clamp(x + s))}.
   *
   * @param in address of the gates i, o and f, which the candidate's share follows
   */
  static void keep(
      long base, CellRows rows, long at, long x, long in, long pitch, long width, float limit) {
    float most = Math.min(limit, VectorMath.STATE_MOST);
    for (int r = 0; r < rows.count(); r++) {
      long sums = base + rows.sums(r) + x;
      long from = in + r * pitch;
      long cell = base + rows.cell(r) + at;
      for (long i = 0; i < width; i += BYTES) {
        FloatVector sum = load(sums + i).add(load(from + 3 * width + i));
        FloatVector taken = load(from + i).mul(VectorMath.state(sum, most));
        FloatVector forget = load(from + 2 * width + i);
        forget.fma(load(cell + i), taken).intoMemorySegment(ALL, cell + i, ORDER);
      }
    }
  }

  /** An LSTM's state: {@code h = o * tanh(clamp(c))}. */
  static void emit(
      long base, CellRows rows, long at, long out, long pitch, long width, float limit) {
    float most = Math.min(limit, VectorMath.STATE_MOST);
    for (int r = 0; r < rows.count(); r++) {
      long cell = base + rows.cell(r) + at;
      long next = base + rows.next(r) + at;
      long from = out + r * pitch;
      for (long i = 0; i < width; i += BYTES) {
        FloatVector squashed = VectorMath.state(load(cell + i), most);
        load(from + i).mul(squashed).intoMemorySegment(ALL, next + i, ORDER);
      }
    }
  }

  /** Copies new states, without what pads them, to outputs, which no vector need begin at. */
  static void output(long base, CellRows rows, long at, int units) {
    long whole = units / Lanes.COUNT * BYTES;
    for (int r = 0; r < rows.count(); r++) {
      if (rows.output(r) >= 0) {
        long next = base + rows.next(r) + at;
        long to = base + rows.output(r) + at;
        for (long i = 0; i < whole; i += BYTES) {
          load(next + i).intoMemorySegment(ALL, to + i, ORDER);
        }
        for (long i = whole; i < (long) units * Float.BYTES; i += Float.BYTES) {
          ALL.set(DType.FLOAT, to + i, ALL.get(DType.FLOAT, next + i));
        }
      }
    }
  }
}
