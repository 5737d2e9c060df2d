package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.DType;
import dev.filigree.DeviceException;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DriverException;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.simgpu.DeviceSettings;
import dev.filigree.simgpu.Finding;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.testing.Samples;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Every fault the simulated device can inject, at every place in turn, while a session is opened,
 * measures its candidates, and runs.
 */
class WarmUpFaultTest {
  private static final int IN = 24;
  private static final int OUT = 40;

  /** More than a session makes of anything. */
  private static final int END = 2000;

  private final Graph graph = graph();
  private final Map<String, Tensor> inputs = Map.of("x", Tensor.of(floats(3 * IN), 3, IN));
  private final Set<String> failed = new TreeSet<>();

  private static float[] floats(int count) {
    return new Samples(count).normal(count);
  }

  private static Graph graph() {
    Node linear = Linear.node("layer", List.of("x", "w", ""), "y", true, "w", false);
    return new Graph(
        "test",
        13,
        List.of(new ValueInfo("x", DType.F32, List.of(Dim.symbol("tokens"), Dim.of(IN)))),
        List.of(new ValueInfo("y", DType.F32, null)),
        List.of(linear),
        Map.of("w", new Constant.Plain(Tensor.of(floats(OUT * IN), OUT, IN))));
  }

  @BeforeEach
  void requireSimulation() {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
  }

  private DeviceRunner open() {
    return new DeviceRunner(
        graph,
        SessionOptions.defaults(),
        CudaDriver.open().context(0),
        Optional.of(() -> OptionalDouble.of(1)));
  }

  private float[] run(DeviceRunner runner) {
    return runner.run(inputs).get("y").toFloats();
  }

  private float[] healthy() {
    try (SimulatedDevice _ = SimulatedDevice.open(DeviceSettings.DEFAULT);
        DeviceRunner runner = open()) {
      return run(runner);
    }
  }

  private static long freeBytes() {
    try (CudaContext context = CudaDriver.open().context(0)) {
      return context.freeBytes();
    }
  }

  /** A session's life; how it failed. */
  private Optional<DriverException> live() {
    try (DeviceRunner runner = open()) {
      runner.warmUp(inputs, (what, done, total) -> {});
      run(runner);
      return Optional.empty();
    } catch (DriverException failure) {
      failed.add(failure.operation().replaceAll("\\d+", "N"));
      return Optional.of(failure);
    }
  }

  @Test
  void anAllocationThatFailsLeavesNothingBehindAndTheSessionUsable() {
    float[] expected = healthy();
    int failures = 0;
    for (int n = 1; n < END; n++) {
      try (SimulatedDevice device =
          SimulatedDevice.open(DeviceSettings.DEFAULT.withFaults("alloc=" + n))) {
        Optional<DriverException> failure = Optional.empty();
        try (DeviceRunner runner = open()) {
          try {
            runner.warmUp(inputs, (what, done, total) -> {});
          } catch (DriverException full) {
            failure = Optional.of(full);
          }
          assertArrayEquals(expected, run(runner), "after allocation " + n);
        } catch (DriverException whileOpening) {
          failure = Optional.of(whileOpening);
        }
        List<Finding> leaks =
            device.findings().stream().filter(each -> each.kind().equals("leak")).toList();
        assertEquals(List.of(), leaks, "allocation " + n);
        if (failure.isEmpty()) {
          break;
        }
        failures++;
        assertEquals(DeviceException.Kind.MEMORY, failure.get().kind(), "allocation " + n);
      }
    }
    // operands of the measurement and its workspace, weights in several layouts, an arena
    assertTrue(failures >= 6, failures + " allocations failed");
  }

  @Test
  void aLaunchOrCopyThatFailsIsReportedAndFreesAll() {
    long allFree;
    try (SimulatedDevice _ = SimulatedDevice.open(DeviceSettings.DEFAULT)) {
      live();
      allFree = freeBytes();
    }
    for (String kind : List.of("launch", "ecc", "copy")) {
      for (int n = 1; n < END; n++) {
        try (SimulatedDevice _ =
            SimulatedDevice.open(DeviceSettings.DEFAULT.withFaults(kind + "=" + n))) {
          Optional<DriverException> failure = live();
          assertEquals(allFree, freeBytes(), kind + " " + n);
          if (failure.isEmpty()) {
            assertTrue(n > 3, "only " + n + " of " + kind);
            break;
          }
          assertEquals(DeviceException.Kind.LOST, failure.get().kind(), kind + " " + n);
        }
      }
    }
    // a copy back that is queued fails where its stream is waited for
    for (String operation : List.of("copy N bytes to the device", "wait for the stream")) {
      assertTrue(failed.contains(operation), operation + " is none of " + failed);
    }
  }

  @Test
  void aDeviceThatIsLostAtAnyCallIsReportedByTheOperationThatMetIt() {
    float[] expected = healthy();
    failed.clear();
    for (int n = 1; n < END; n++) {
      try (SimulatedDevice _ =
          SimulatedDevice.open(DeviceSettings.DEFAULT.withFaults("lost=" + n))) {
        Optional<DriverException> failure = live();
        if (failure.isEmpty()) {
          break;
        }
        boolean initialising = failure.get().operation().startsWith("initialise");
        assertEquals(
            initialising ? DeviceException.Kind.MISSING : DeviceException.Kind.LOST,
            failure.get().kind(),
            "call " + n + ": " + failure.get());
      }
    }
    for (String operation :
        List.of(
            "allocate N bytes on the device",
            "copy N bytes to the device",
            "copy N bytes from the device",
            "begin a capture",
            "wait for the stream")) {
      assertTrue(failed.contains(operation), operation + " is none of " + failed);
    }
    assertTrue(failed.stream().anyMatch(each -> each.startsWith("launch")), failed.toString());
    assertArrayEquals(expected, healthy());
  }
}
