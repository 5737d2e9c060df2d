package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Kernels;
import org.junit.jupiter.api.Test;

/** Each run of the tests uses the kernels and the width it is meant for. */
final class LegTest {
  @Test
  void theVectorKernelsServeWithTheWidthOfThisRun() throws Exception {
    Integer bits = Integer.getInteger("filigree.test.bits");
    if (bits == null) {
      bits = Lanes.bits();
    } else {
      Processor.assumeVectorsOf(bits);
    }
    Kernels kernels = KernelSets.open("");
    assertEquals("vector " + bits + "-bit", kernels.name());
    assertEquals(bits / Float.SIZE, kernels.lanes());
  }
}
