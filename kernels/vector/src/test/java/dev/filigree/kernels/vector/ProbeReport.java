package dev.filigree.kernels.vector;

import dev.filigree.DType;
import dev.filigree.DeviceException;
import dev.filigree.spi.KernelProvider;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Dense;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Prints, one a line, what the probe says (twice), which set serves, and a product of it. */
final class ProbeReport {
  private ProbeReport() {}

  public static void main(String[] args) {
    VectorProvider provider = new VectorProvider();
    for (int i = 0; i < 2; i++) {
      switch (provider.probe()) {
        case KernelProvider.Probe.Ready(String detail) -> System.out.println("ready: " + detail);
        case KernelProvider.Probe.Missing(String why, String fix) ->
            System.out.println("missing: " + why + "; " + fix);
      }
    }
    Kernels kernels = KernelSets.open("");
    System.out.println(kernels.name());
    System.out.println(product(kernels));
    try {
      System.out.println("vector opens as " + KernelSets.open("vector").name());
    } catch (DeviceException refused) {
      System.out.println("vector refused: " + refused.getMessage());
    }
  }

  /** (1 2; 3 4; 5 6) times (7, 8) plus 100, for three tokens. */
  private static String product(Kernels kernels) {
    Dense weights = Dense.of(3, 2, new float[] {1, 2, 3, 4, 5, 6});
    LinearKernel kernel = kernels.linear(weights).getFirst().pack();
    Panels panels = Panels.of(3, kernels.lanes());
    try (Arena arena = Arena.ofConfined()) {
      long x = 0;
      long y = (panels.bytes(2) + 63) / 64 * 64;
      MemorySegment memory = arena.allocate(y + panels.bytes(3), 64);
      int width = panels.width(0);
      for (int p = 0; p < panels.count(); p++) {
        for (int i = 0; i < panels.width(p); i++) {
          memory.setAtIndex(DType.FLOAT, panels.start(p) * 2L + i, 7);
          memory.setAtIndex(DType.FLOAT, panels.start(p) * 2L + panels.width(p) + i, 8);
        }
        kernels.start(
            memory,
            y + panels.offset(p, 3),
            panels.width(p),
            0,
            3,
            new float[] {100, 100, 100},
            -1);
      }
      kernel.accumulate(0, panels, 0, panels.count(), memory, x, y, new float[kernel.scratch()]);
      StringBuilder outputs = new StringBuilder();
      for (int o = 0; o < 3; o++) {
        outputs.append(memory.get(DType.FLOAT, y + (long) o * width * Float.BYTES)).append(' ');
      }
      return outputs.toString().strip();
    }
  }
}
