package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class SteadyStateTest {
  @Test
  void warmKernelsAllocateNothing() {
    assertEquals(Map.of(), SteadyState.stuck());
  }

  @Test
  void kernelsReachThatStateInAProcessWithNoOtherFlagThanTheModule() throws Exception {
    assertEquals(List.of(), Child.run(SteadyState.class, "--add-modules=jdk.incubator.vector"));
  }
}
