package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.weights.Dense;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Quantized;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Compares activations of a native kernel with those of the vector kernels. */
final class ActivationBits {
  private static final int TOKENS = 64;
  private static final int ROWS = 64;

  private ActivationBits() {}

  /** A product of zeros plus a residual of all sorts of numbers, so that the activation remains. */
  static void check(NativeCalls calls, Activation activation) {
    float[] values = new float[TOKENS * ROWS];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i - values.length / 2) * (i % 3 == 0 ? 0.0001f : i % 3 == 1 ? 0.005f : 0.05f);
    }
    values[0] = Float.NEGATIVE_INFINITY;
    values[1] = Float.POSITIVE_INFINITY;
    values[2] = Float.NaN;
    values[3] = Float.MAX_VALUE;
    values[4] = -Float.MAX_VALUE;
    values[5] = Float.MIN_VALUE;
    NativeLinear kernel =
        calls.instructions().isInteger()
            ? NativeLinear.pack(calls, IntegerRows.of(zeros()).orElseThrow())
            : NativeLinear.pack(calls, Dense.of(ROWS, 4, new float[ROWS * 4]));
    Layer layer = new Layer(TOKENS, new float[TOKENS * 4], null, values, activation);
    float[] y = layer.run(kernel, calls.instructions().lanes(), null);
    Kernels vector = KernelSets.open("vector");
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(DType.FLOAT.byteSize() * values.length, 64);
      for (int i = 0; i < values.length; i++) {
        memory.setAtIndex(DType.FLOAT, i, 0 + values[i]);
      }
      vector.activate(activation, memory, 0, values.length);
      for (int i = 0; i < values.length; i++) {
        // equal bits but for the sign of 0 and the kind of NaN
        assertEquals(
            memory.getAtIndex(DType.FLOAT, i),
            y[i],
            0,
            calls.instructions() + " " + activation + " of " + values[i]);
      }
    }
  }

  private static Quantized zeros() {
    return new Quantized(
        ROWS,
        4,
        new IntegerValues(
            DType.I8,
            MemorySegment.ofArray(new byte[ROWS * 4]),
            MemorySegment.ofArray(new float[] {1}),
            IntegerValues.SYMMETRIC));
  }
}
