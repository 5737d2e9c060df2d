package dev.filigree.kernels.cpu;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.spi.ActivationCode;
import dev.filigree.spi.LinearCall;
import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.Panels;
import dev.filigree.spi.RoundedKernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A linear layer on operands of its own, run by a native kernel.
 *
 * @param x {@code [tokens, columns]}
 * @param bias or null
 * @param residual {@code [tokens, rows]}, or null
 */
record Layer(int tokens, float[] x, float[] bias, float[] residual, Activation activation) {
  /** Scale and zero point for all tokens. */
  record Whole(float scale, int zeroPoint) {}

  /**
   * Runs the layer.
   *
   * @param whole how the input is quantised as a whole, or null for the kernel's own rounding
   * @return {@code [tokens, rows]}
   */
  float[] run(RoundedKernel kernel, int lanes, Whole whole) {
    Panels panels = Panels.of(tokens, lanes);
    try (Arena arena = Arena.ofConfined()) {
      long inputs = aligned(panels.bytes(kernel.columns()));
      long codes = aligned(kernel.code().bytes(panels, kernel.columns()));
      long outputs = aligned(panels.bytes(kernel.rows()));
      long total = inputs + codes + 2 * outputs;
      MemorySegment memory = arena.allocate(total, 64);
      // what a kernel does not write shows
      memory.fill((byte) 0x7f);
      put(memory, 0, panels, x, kernel.columns());
      long y = inputs + codes;
      long added = y + outputs;
      if (residual != null) {
        put(memory, added, panels, residual, kernel.rows());
      }
      ActivationCode code = kernel.code();
      for (int p = 0; p < panels.count(); p++) {
        if (whole == null) {
          code.encode(memory, panels, p, kernel.columns(), 0, inputs);
        } else {
          ((ActivationCode.Integers) code)
              .encode(memory, panels, p, kernel.columns(), 0, inputs, whole.scale, whole.zeroPoint);
        }
      }
      RoundedKernel.Bound bound =
          kernel.bind(
              new LinearCall(
                  memory, panels, inputs, y, residual == null ? -1 : added, bias, activation));
      for (int block = 0; block < kernel.blocks(); block++) {
        int from = block * PackedLinear.BLOCK;
        int to = Math.min(kernel.rows(), from + PackedLinear.BLOCK);
        for (int p = 0; p < panels.count(); p++) {
          bound.run(p, from, to);
        }
      }
      return get(memory, y, panels, kernel.rows());
    }
  }

  private static long aligned(long bytes) {
    return (bytes + 63) / 64 * 64;
  }

  private void put(MemorySegment memory, long at, Panels panels, float[] values, int features) {
    for (int t = 0; t < tokens; t++) {
      for (int f = 0; f < features; f++) {
        memory.set(DType.FLOAT, place(at, panels, t, f, features), values[t * features + f]);
      }
    }
  }

  private float[] get(MemorySegment memory, long at, Panels panels, int features) {
    float[] values = new float[tokens * features];
    for (int t = 0; t < tokens; t++) {
      for (int f = 0; f < features; f++) {
        values[t * features + f] = memory.get(DType.FLOAT, place(at, panels, t, f, features));
      }
    }
    return values;
  }

  private static long place(long at, Panels panels, int token, int feature, int features) {
    int p = panels.of(token);
    return at
        + panels.offset(p, features)
        + ((long) feature * panels.width(p) + token - panels.start(p)) * Float.BYTES;
  }
}
