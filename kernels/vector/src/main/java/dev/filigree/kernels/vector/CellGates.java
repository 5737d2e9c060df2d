package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;
import static dev.filigree.kernels.vector.Lanes.F;
import static dev.filigree.kernels.vector.Lanes.ORDER;

import dev.filigree.DType;
import jdk.incubator.vector.FloatVector;

/**
 * What the gates of a recurrent layer's cell do for a slice of units, whole vectors always. Each
 * function has a loop of its own: more than one of {@link VectorMath} in a method would go beyond
 * what C2 inlines.
 */
final class CellGates {
  private CellGates() {}

  private static FloatVector load(long x) {
    return FloatVector.fromMemorySegment(F, ALL, x, ORDER);
  }

  /** {@code s = sigmoid(clamp(x + s))}. */
  static void sigmoid(long x, long s, long bytes, float limit) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector sum = load(x + i).add(load(s + i)).max(-limit).min(limit);
      VectorMath.sigmoid(sum).intoMemorySegment(ALL, s + i, ORDER);
    }
  }

  /** {@code y = tanh(clamp(x + s))}. */
  static void tanh(long x, long s, long y, long bytes, float limit) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector sum = load(x + i).add(load(s + i)).max(-limit).min(limit);
      VectorMath.tanh(sum).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  /** {@code y = max(clamp(x + s), 0)}. */
  static void relu(long x, long s, long y, long bytes, float limit) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector sum = load(x + i).add(load(s + i)).max(-limit).min(limit);
      sum.max(0f).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  /** {@code s += p * c}: peepholes. */
  static void peep(long p, long c, long s, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      load(p + i).fma(load(c + i), load(s + i)).intoMemorySegment(ALL, s + i, ORDER);
    }
  }

  /** An LSTM's cell: {@code c = f * c + i * g}. */
  static void keep(long in, long forget, long candidate, long c, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector taken = load(in + i).mul(load(candidate + i));
      load(forget + i).fma(load(c + i), taken).intoMemorySegment(ALL, c + i, ORDER);
    }
  }

  /** The same, which forgets as much as it takes: {@code c = (1 - i) * c + i * g}. */
  static void exchange(long in, long candidate, long c, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector share = load(in + i);
      FloatVector taken = share.mul(load(candidate + i));
      FloatVector left = FloatVector.broadcast(F, 1f).sub(share);
      left.fma(load(c + i), taken).intoMemorySegment(ALL, c + i, ORDER);
    }
  }

  /** An LSTM's state: {@code y = o * tanh(clamp(c))}. */
  static void emit(long out, long c, long y, long bytes, float limit) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector cell = load(c + i).max(-limit).min(limit);
      VectorMath.tanh(cell).mul(load(out + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  /** A GRU's state as its candidate reads it: {@code y = r * h}. */
  static void reset(long r, long h, long y, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      load(r + i).mul(load(h + i)).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  /** What a reset gate leaves of a share of the state: {@code s = r * (s + bias)}. */
  static void resetLate(long r, long bias, long s, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector share = load(s + i).add(load(bias + i));
      load(r + i).mul(share).intoMemorySegment(ALL, s + i, ORDER);
    }
  }

  /** A GRU's state: {@code y = (1 - z) * g + z * h}. */
  static void mix(long z, long candidate, long h, long y, long bytes) {
    for (long i = 0; i < bytes; i += BYTES) {
      FloatVector update = load(z + i);
      FloatVector kept = update.mul(load(h + i));
      FloatVector left = FloatVector.broadcast(F, 1f).sub(update);
      left.fma(load(candidate + i), kept).intoMemorySegment(ALL, y + i, ORDER);
    }
  }

  /** Copies values, any number of them, to a place that is no vector's. */
  static void copy(long x, long y, int count) {
    long whole = count / Lanes.COUNT * BYTES;
    for (long i = 0; i < whole; i += BYTES) {
      load(x + i).intoMemorySegment(ALL, y + i, ORDER);
    }
    for (long i = whole; i < (long) count * Float.BYTES; i += Float.BYTES) {
      ALL.set(DType.FLOAT, y + i, ALL.get(DType.FLOAT, x + i));
    }
  }
}
