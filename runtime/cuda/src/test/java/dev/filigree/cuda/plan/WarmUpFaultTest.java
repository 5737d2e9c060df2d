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
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.pass.Passes;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every fault the simulated device can inject, at every place in turn, while a session is opened,
 * measures its candidates, and runs.
 */
class WarmUpFaultTest {
  private static final int IN = 24;
  private static final int OUT = 40;

  /** More than a session makes of anything. */
  private static final int END = 2000;

  private static final int EDGE = 4;

  /** What is measured. */
  enum Subject {
    LINEAR(linear(), Tensor.of(floats(3 * IN), 3, IN), 1),
    CONVOLUTION(convolution(), Tensor.of(floats(IN * EDGE * EDGE), 1, IN, EDGE, EDGE), 5);

    private final Graph graph;
    private final Map<String, Tensor> inputs;

    /** From one call that loses the device to the next: every single one of the first. */
    private final int step;

    Subject(Graph graph, Tensor x, int step) {
      this.graph = graph;
      this.inputs = Map.of("x", x);
      this.step = step;
    }
  }

  private final Set<String> failed = new TreeSet<>();

  private static float[] floats(int count) {
    return new Samples(count).normal(count);
  }

  private static Graph linear() {
    Node linear = Linear.node("layer", List.of("x", "w", ""), "y", true, "w", false);
    return new Graph(
        "test",
        13,
        List.of(new ValueInfo("x", DType.F32, List.of(Dim.symbol("tokens"), Dim.of(IN)))),
        List.of(new ValueInfo("y", DType.F32, null)),
        List.of(linear),
        Map.of("w", new Constant.Plain(Tensor.of(floats(OUT * IN), OUT, IN))));
  }

  /** Two of every four channels are kept, so that sparse and dense kernels are candidates. */
  private static Graph convolution() {
    Tensor w = Tensor.of(floats(OUT * IN * 9), OUT, IN, 3, 3);
    for (long i = 0; i < w.elements(); i++) {
      if (i / 9 % 2 == 0) {
        w.setDouble(i, 0);
      }
    }
    GraphBuilder builder = new GraphBuilder(13).input("x", DType.F32, 1, IN, EDGE, EDGE);
    builder.constant("w", w);
    builder.node("Conv", Map.of("pads", List.of(1, 1, 1, 1)), List.of("y"), "x", "w");
    return Passes.standard(builder.output("y").build());
  }

  @BeforeEach
  void requireSimulation() {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
  }

  private DeviceRunner open(Subject subject) {
    return new DeviceRunner(
        subject.graph,
        SessionOptions.defaults(),
        CudaDriver.open().context(0),
        Optional.of(
            work -> {
              work.run();
              return OptionalDouble.of(1);
            }));
  }

  private float[] run(DeviceRunner runner, Subject subject) {
    return runner.run(subject.inputs).get("y").toFloats();
  }

  private float[] healthy(Subject subject) {
    try (SimulatedDevice _ = SimulatedDevice.open(DeviceSettings.DEFAULT);
        DeviceRunner runner = open(subject)) {
      return run(runner, subject);
    }
  }

  private static long freeBytes() {
    try (CudaContext context = CudaDriver.open().context(0)) {
      return context.freeBytes();
    }
  }

  /** A session's life; how it failed. */
  private Optional<DriverException> live(Subject subject) {
    try (DeviceRunner runner = open(subject)) {
      runner.warmUp(subject.inputs, (what, done, total) -> {});
      run(runner, subject);
      return Optional.empty();
    } catch (DriverException failure) {
      failed.add(failure.operation().replaceAll("\\d+", "N"));
      return Optional.of(failure);
    }
  }

  @ParameterizedTest
  @EnumSource
  void anAllocationThatFailsLeavesNothingBehindAndTheSessionUsable(Subject subject) {
    float[] expected = healthy(subject);
    int failures = 0;
    for (int n = 1; n < END; n++) {
      try (SimulatedDevice device =
          SimulatedDevice.open(DeviceSettings.DEFAULT.withFaults("alloc=" + n))) {
        Optional<DriverException> failure = Optional.empty();
        try (DeviceRunner runner = open(subject)) {
          try {
            runner.warmUp(subject.inputs, (what, done, total) -> {});
          } catch (DriverException full) {
            failure = Optional.of(full);
          }
          assertArrayEquals(expected, run(runner, subject), "after allocation " + n);
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

  @ParameterizedTest
  @EnumSource
  void aLaunchOrCopyThatFailsIsReportedAndFreesAll(Subject subject) {
    long allFree;
    try (SimulatedDevice _ = SimulatedDevice.open(DeviceSettings.DEFAULT)) {
      live(subject);
      allFree = freeBytes();
    }
    for (String kind : List.of("launch", "ecc", "copy")) {
      for (int n = 1; n < END; n++) {
        try (SimulatedDevice _ =
            SimulatedDevice.open(DeviceSettings.DEFAULT.withFaults(kind + "=" + n))) {
          Optional<DriverException> failure = live(subject);
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

  @ParameterizedTest
  @EnumSource
  void aDeviceThatIsLostAtAnyCallIsReportedByTheOperationThatMetIt(Subject subject) {
    float[] expected = healthy(subject);
    failed.clear();
    for (int n = 1; n < END; n += subject.step) {
      try (SimulatedDevice _ =
          SimulatedDevice.open(DeviceSettings.DEFAULT.withFaults("lost=" + n))) {
        Optional<DriverException> failure = live(subject);
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
    if (subject.step == 1) {
      for (String operation :
          List.of(
              "allocate N bytes on the device",
              "copy N bytes to the device",
              "copy N bytes from the device",
              "begin a capture",
              "wait for the stream")) {
        assertTrue(failed.contains(operation), operation + " is none of " + failed);
      }
    }
    assertTrue(failed.stream().anyMatch(each -> each.startsWith("launch")), failed.toString());
    assertArrayEquals(expected, healthy(subject));
  }
}
