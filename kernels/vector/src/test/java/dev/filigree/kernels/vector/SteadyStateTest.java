package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class SteadyStateTest {
  @Test
  void warmKernelsAllocateNothing() {
    assertEquals(Map.of(), SteadyState.stuck());
  }

  /**
   * On a busy machine kernels may be compiled before the Vector API's own methods have a profile.
   * Without any profile that is so every time.
   */
  @Test
  void kernelsCompiledWithoutAProfileAllocateNothingEither()
      throws IOException, InterruptedException {
    assertEquals(
        List.of(),
        Child.run(
            SteadyState.class,
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-XX:-UseTypeProfile"));
  }
}
