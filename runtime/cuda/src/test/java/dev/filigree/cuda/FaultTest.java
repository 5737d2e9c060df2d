package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.cuda.driver.DriverException;
import dev.filigree.simgpu.DeviceSettings;
import dev.filigree.simgpu.Finding;
import dev.filigree.simgpu.SimulatedDevice;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every fault the simulated device can inject, at every place in turn: in loading, warming up and
 * running. What fails says which operation it was, nothing stays on the device, and the next
 * session works.
 */
class FaultTest {
  private static final SessionOptions SIMULATED =
      SessionOptions.defaults().withDevice(Device.parse("simulated"));

  /** More than the small models make of anything. */
  private static final int END = 400;

  @TempDir private Path folder;

  @BeforeEach
  void requireSimulation() {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
  }

  /** What fails: linear layers and what lies between them, or convolutions with theirs. */
  enum Subject {
    LAYERS,
    IMAGES;

    Model open(Path folder) {
      return this == LAYERS ? SmallModel.open(folder) : SmallNetwork.open(folder);
    }

    Map<String, Tensor> inputs() {
      return this == LAYERS ? SmallModel.inputs(1, 3, 1) : SmallNetwork.inputs(1);
    }
  }

  private Subject subject = Subject.LAYERS;

  private Model open(Subject chosen) {
    subject = chosen;
    return chosen.open(folder);
  }

  /**
   * The outcome of a session's life with one fault.
   *
   * @param leaks what was not freed by itself before its context ended
   * @param freeBytes of the device once the session was closed
   */
  private record Outcome(DriverException failure, List<Finding> leaks, long freeBytes) {}

  private Outcome live(Model model, String fault) {
    try (SimulatedDevice device = SimulatedDevice.open(settings(fault))) {
      DriverException failure = null;
      try (Session session = model.session(SIMULATED)) {
        session.warmUp(subject.inputs(), (what, done, total) -> {});
        session.run(subject.inputs());
      } catch (DriverException failed) {
        failure = failed;
      }
      long freeBytes = freeBytes();
      List<Finding> leaks =
          device.findings().stream().filter(finding -> finding.kind().equals("leak")).toList();
      return new Outcome(failure, leaks, freeBytes);
    }
  }

  private static long freeBytes() {
    try (CudaContext context = CudaDriver.open().context(0)) {
      return context.freeBytes();
    }
  }

  private static DeviceSettings settings(String fault) {
    return DeviceSettings.DEFAULT.withFaults(fault);
  }

  private float[] healthy(Model model) {
    try (SimulatedDevice _ = SimulatedDevice.open(DeviceSettings.DEFAULT);
        Session session = model.session(SIMULATED)) {
      return session.run(subject.inputs()).get("y").toFloats();
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyAllocationThatFailsIsNamedAndLeavesNothingBehind(Subject chosen) {
    try (Model model = open(chosen)) {
      int failures = 0;
      for (int n = 1; n < END; n++) {
        Outcome outcome = live(model, "alloc=" + n);
        assertEquals(List.of(), outcome.leaks(), "allocation " + n);
        if (outcome.failure() == null) {
          break;
        }
        failures++;
        assertEquals(DeviceException.Kind.MEMORY, outcome.failure().kind(), "allocation " + n);
        assertTrue(
            outcome.failure().operation().startsWith("allocate "), outcome.failure().toString());
        assertTrue(
            outcome.failure().remedy().contains("smaller batches"), outcome.failure().toString());
      }
      assertTrue(failures >= 4, failures + " allocations failed");
    }
  }

  @ParameterizedTest
  @EnumSource
  void aSessionThatRanOutOfMemoryInOneRunServesTheNext(Subject chosen) {
    try (Model model = open(chosen)) {
      float[] expected = healthy(model);
      int failures = 0;
      for (int n = 1; n < END; n++) {
        try (SimulatedDevice _ = SimulatedDevice.open(settings("alloc=" + n))) {
          Session session;
          try {
            session = model.session(SIMULATED);
          } catch (DriverException whileOpening) {
            continue;
          }
          try (session) {
            boolean failed = false;
            try {
              session.run(subject.inputs());
            } catch (DriverException full) {
              failed = true;
              failures++;
            }
            assertArrayEquals(expected, session.run(subject.inputs()).get("y").toFloats());
            if (!failed) {
              break;
            }
          }
        }
      }
      assertTrue(failures >= 3, failures + " runs failed");
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyLaunchThatFailsIsReportedAndLeavesNothingBehind(Subject chosen) {
    try (Model model = open(chosen)) {
      long allFree = live(model, "launch=" + END).freeBytes();
      for (String kind : List.of("launch", "ecc")) {
        for (int n = 1; n < END; n++) {
          Outcome outcome = live(model, kind + "=" + n);
          // in a lost context nothing can be freed by itself: ending the context frees it all
          assertEquals(allFree, outcome.freeBytes(), kind + " " + n);
          if (outcome.failure() == null) {
            assertEquals(List.of(), outcome.leaks());
            assertTrue(n > 3, "only " + n + " launches");
            break;
          }
          assertEquals(DeviceException.Kind.LOST, outcome.failure().kind(), kind + " " + n);
          assertFalse(outcome.failure().operation().isEmpty());
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void otherSessionsAndSuccessorsAreUnharmedByAFailedLaunch(Subject chosen) {
    try (Model model = open(chosen)) {
      float[] expected = healthy(model);
      int launches = launchesOfARun(model);
      try (SimulatedDevice _ =
              SimulatedDevice.open(settings("launch=" + (launches + launches / 2)));
          Session other = model.session(SIMULATED)) {
        assertArrayEquals(expected, other.run(subject.inputs()).get("y").toFloats());
        DriverException failure = null;
        try (Session failing = model.session(SIMULATED)) {
          failing.run(subject.inputs());
        } catch (DriverException failed) {
          failure = failed;
        }
        assertEquals(DeviceException.Kind.LOST, failure.kind());
        assertTrue(failure.remedy().startsWith("close the session"), failure.toString());
        assertArrayEquals(expected, other.run(subject.inputs()).get("y").toFloats());
        try (Session successor = model.session(SIMULATED)) {
          assertArrayEquals(expected, successor.run(subject.inputs()).get("y").toFloats());
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyCopyThatFailsIsNamedAndHarmsNoOtherSession(Subject chosen) {
    try (Model model = open(chosen)) {
      float[] expected = healthy(model);
      long allFree = live(model, "copy=" + END).freeBytes();
      Set<String> failed = new TreeSet<>();
      int copies = 0;
      for (Outcome outcome = live(model, "copy=1");
          outcome.failure() != null && copies < END;
          outcome = live(model, "copy=" + (copies + 1))) {
        copies++;
        assertEquals(allFree, outcome.freeBytes(), "copy " + copies);
        assertEquals(DeviceException.Kind.LOST, outcome.failure().kind(), "copy " + copies);
        failed.add(outcome.failure().operation().replaceAll("\\d+", "N"));
      }
      // weights and inputs, and the results
      assertTrue(failed.contains("copy N bytes to the device"), failed.toString());
      assertTrue(copies >= 4 && copies < END, copies + " copies failed");
      for (int n = copies + 1; n <= 2 * copies; n++) {
        try (SimulatedDevice _ = SimulatedDevice.open(settings("copy=" + n));
            Session other = model.session(SIMULATED)) {
          other.warmUp(subject.inputs(), (what, done, total) -> {});
          assertArrayEquals(expected, other.run(subject.inputs()).get("y").toFloats());
          DriverException failure = null;
          try (Session failing = model.session(SIMULATED)) {
            failing.warmUp(subject.inputs(), (what, done, total) -> {});
            failing.run(subject.inputs());
          } catch (DriverException struck) {
            failure = struck;
          }
          assertEquals(DeviceException.Kind.LOST, failure.kind(), "copy " + n);
          assertTrue(failure.remedy().startsWith("close the session"), failure.toString());
          assertArrayEquals(expected, other.run(subject.inputs()).get("y").toFloats());
          try (Session successor = model.session(SIMULATED)) {
            assertArrayEquals(expected, successor.run(subject.inputs()).get("y").toFloats());
          }
        }
      }
    }
  }

  private int launchesOfARun(Model model) {
    try (SimulatedDevice device = SimulatedDevice.open(DeviceSettings.DEFAULT);
        Session session = model.session(SIMULATED)) {
      session.run(subject.inputs());
      return device.launches().size();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aDeviceThatIsLostAtAnyCallIsReportedAsLost(Subject chosen) {
    try (Model model = open(chosen)) {
      for (int n = 1; n < END; n += 7) {
        DriverException failure = null;
        try (SimulatedDevice _ = SimulatedDevice.open(settings("lost=" + n))) {
          try (Session session = model.session(SIMULATED)) {
            session.run(subject.inputs());
          } catch (DriverException failed) {
            failure = failed;
          }
        }
        if (failure == null) {
          break;
        }
        boolean whileInitialising = failure.operation().startsWith("initialise");
        assertEquals(
            whileInitialising ? DeviceException.Kind.MISSING : DeviceException.Kind.LOST,
            failure.kind(),
            "call " + n + ": " + failure);
      }
      assertTrue(healthy(model).length > 0);
    }
  }
}
