package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Runs kernels on tokens of a test's own. */
final class OneToken {
  private OneToken() {}

  /** The outputs where they were {@code before} everywhere. */
  static float[] run(LinearKernel kernel, int tokens, float[] x, float before) {
    Panels panels = Panels.of(tokens, 8);
    long inputs = (panels.bytes(kernel.columns()) + 63) / 64 * 64;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(inputs + panels.bytes(kernel.rows()), 64);
      MemorySegment.copy(x, 0, memory, DType.FLOAT, 0, x.length);
      float[] y = new float[(int) (panels.bytes(kernel.rows()) / Float.BYTES)];
      Arrays.fill(y, before);
      MemorySegment.copy(y, 0, memory, DType.FLOAT, inputs, y.length);
      float[] scratch = new float[kernel.scratch()];
      for (int block = 0; block * PackedLinear.BLOCK < kernel.rows(); block++) {
        kernel.accumulate(block, panels, 0, panels.count(), memory, 0, inputs, scratch);
      }
      MemorySegment.copy(memory, DType.FLOAT, inputs, y, 0, y.length);
      return y;
    }
  }

  /** Holds outputs of one token, which were 0.5 before, to products in double precision. */
  static void assertIsProduct(Weights weights, float[] x, float[] y) {
    int columns = weights.columns();
    float[] row = new float[columns];
    for (int o = 0; o < weights.rows(); o++) {
      weights.unpackRow(o, row, 0);
      double sum = 0.5;
      double size = 0.5;
      for (int k = 0; k < columns; k++) {
        sum += (double) row[k] * x[k];
        size += Math.abs((double) row[k] * x[k]);
      }
      assertEquals(
          sum, y[o], 1e-6 * size, "output " + o + " of " + weights.rows() + " x " + columns);
    }
  }
}
