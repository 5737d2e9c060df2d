package dev.filigree.cuda.linear;

import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.simgpu.SimulatedGpu;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kernel of a linear layer against its scalar twin, on the simulated device. */
@SimulatedGpu
class LinearKernelTest {
  private static final int[] TOKENS = {
    1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129
  };

  static Stream<KernelEntry> kernels() {
    return LinearLaunch.kernels().stream();
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void itEqualsItsTwin(KernelEntry kernel) {
    LinearCases cases = new LinearCases(7);
    try (LinearLaunch launch = new LinearLaunch()) {
      for (int tokens : TOKENS) {
        if (tokens < kernel.tokensFrom() - 20 || tokens - 3 > kernel.tokensTo()) {
          continue;
        }
        LinearCase layer =
            cases.layer(
                kernel.weights().orElseThrow(),
                kernel.activation().orElseThrow(),
                64 + tokens % 11 * 13,
                96 + tokens % 5 * 4,
                tokens);
        LinearTwin.assertSame(
            layer, kernel.weights().orElseThrow().values(), launch.run(kernel.entry(), layer));
      }
    }
  }

  static Stream<KernelEntry> ofManyTokens() {
    return kernels().filter(kernel -> kernel.tokensTo() > 1000);
  }

  @ParameterizedTest
  @MethodSource("ofManyTokens")
  void itEqualsItsTwinForAThousandTokens(KernelEntry kernel) {
    LinearCase layer =
        new LinearCases(3)
            .layer(kernel.weights().orElseThrow(), kernel.activation().orElseThrow(), 67, 72, 1000);
    try (LinearLaunch launch = new LinearLaunch()) {
      LinearTwin.assertSame(
          layer, kernel.weights().orElseThrow().values(), launch.run(kernel.entry(), layer));
    }
  }
}
