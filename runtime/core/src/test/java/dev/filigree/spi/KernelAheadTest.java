package dev.filigree.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.kernel.scalar.ScalarKernels;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class KernelAheadTest {
  private static List<String> labels(String... types) {
    return KernelAhead.operations(Set.of(types)).stream().map(KernelOperation::label).toList();
  }

  @Test
  void anEncoderNeedsWhatItsOperatorsBecome() {
    assertEquals(
        List.of("layer normalization", "start", "linear", "attend", "gelu"),
        labels("Gather", "ReduceMean", "Pow", "MatMul", "Softmax", "Erf"));
  }

  @Test
  void aClassifierOfImagesAttendsToNothing() {
    assertEquals(List.of("start", "linear", "relu"), labels("Conv", "Relu", "Gemm", "Softmax"));
    assertEquals(List.of(), labels("Reshape"));
  }

  @Test
  void aRecurrentLayerNeedsItsInputsProductAndItsCell() {
    assertEquals(List.of("start", "linear", "cell"), labels("LSTM", "Transpose"));
  }

  /** The small problems are whole ones: each operation runs, on the kernels it would run on. */
  @Test
  void everyOperationRunsOnAFewTokens() {
    try (Arena arena = Arena.ofConfined()) {
      KernelProbe probe = new KernelProbe(arena, 16, 16, 16);
      for (int i = 0; i < KernelOperation.COUNT; i++) {
        probe.trial(KernelOperation.at(i), new ScalarKernels()).call().run();
      }
    }
  }
}
