package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import dev.filigree.DType;
import dev.filigree.spi.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Operands of a kernel in memory of which every other byte is watched: each operand lies between
 * guard zones, and a run works on a copy that is compared with what was placed.
 *
 * <pre>
 *   guard | operand 0 | guard | operand 1 | guard
 * </pre>
 */
final class Operands {
  private static final long ALIGNMENT = 64;

  /** Longer than any vector that could reach over an operand's end. */
  private static final long GUARD = 256;

  private static final int GUARD_BITS = 0x5eadbeef;

  private record Placed(long offset, float[] values) {}

  private final List<Placed> placed = new ArrayList<>();
  private long end = GUARD;

  /** What a kernel does with the memory. */
  @FunctionalInterface
  interface Action {
    void run(Kernels kernels, MemorySegment memory);
  }

  /** Places an operand at a 64-byte aligned offset. */
  long place(float[] values) {
    return place(values, 0);
  }

  /** Places an operand some floats after an aligned offset. */
  long place(float[] values, int shift) {
    long offset = end + (long) shift * Float.BYTES;
    placed.add(new Placed(offset, values.clone()));
    long after = offset + (long) values.length * Float.BYTES + GUARD;
    end = (after + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
  }

  private MemorySegment memory() {
    MemorySegment memory = Arena.ofAuto().allocate(end, ALIGNMENT);
    for (long at = 0; at < end; at += Integer.BYTES) {
      memory.set(DType.INT, at, GUARD_BITS);
    }
    for (Placed operand : placed) {
      MemorySegment.copy(
          operand.values, 0, memory, DType.FLOAT, operand.offset, operand.values.length);
    }
    return memory;
  }

  /**
   * Runs a kernel on a copy and returns the one operand it writes.
   *
   * @throws AssertionError if anything else was written
   */
  float[] run(Kernels kernels, long output, Action action) {
    MemorySegment memory = memory();
    action.run(kernels, memory);
    MemorySegment before = memory();
    int length = length(output);
    for (long at = 0; at < end; at += Integer.BYTES) {
      boolean written = at >= output && at < output + (long) length * Float.BYTES;
      if (!written && memory.get(DType.INT, at) != before.get(DType.INT, at)) {
        fail(kernels.name() + " wrote at byte " + (at - output) + " from its output's start");
      }
    }
    float[] result = new float[length];
    MemorySegment.copy(memory, DType.FLOAT, output, result, 0, length);
    return result;
  }

  private int length(long offset) {
    for (Placed operand : placed) {
      if (operand.offset == offset) {
        return operand.values.length;
      }
    }
    throw new IllegalArgumentException("no operand at " + offset);
  }

  /**
   * Compares results: the same NaNs and infinities, and otherwise at most an error apart.
   *
   * @param errors greatest difference of each value
   */
  static void assertClose(String what, float[] expected, float[] actual, double[] errors) {
    assertEquals(expected.length, actual.length, what);
    for (int i = 0; i < expected.length; i++) {
      float e = expected[i];
      float a = actual[i];
      boolean close =
          Float.isFinite(e) ? Math.abs((double) a - e) <= errors[i] : Float.compare(e, a) == 0;
      if (!close) {
        fail(what + ": value " + i + " is " + a + ", not " + e + " within " + errors[i]);
      }
    }
  }

  /** Compares results bit by bit, except that one NaN is as good as another. */
  static void assertSame(String what, float[] expected, float[] actual) {
    assertEquals(expected.length, actual.length, what);
    for (int i = 0; i < expected.length; i++) {
      if (Float.floatToIntBits(expected[i]) != Float.floatToIntBits(actual[i])) {
        fail(what + ": value " + i + " is " + actual[i] + ", not " + expected[i]);
      }
    }
  }
}
