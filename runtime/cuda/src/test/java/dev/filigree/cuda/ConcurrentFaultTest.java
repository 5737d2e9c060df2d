package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Faults that strike while two runs go on at the same time: in two sessions of one device, or in
 * two streams of one session. Whichever of them is struck says so; what the other answers is right.
 */
class ConcurrentFaultTest {
  private static final SessionOptions SIMULATED =
      SessionOptions.defaults().withDevice(Device.parse("simulated"));

  private static final int RUNS = 3;

  /** So many places of a fault are tried, each a step behind the last. */
  private static final int PLACES = 3;

  @TempDir private Path folder;

  @BeforeEach
  void requireSimulation() {
    assumeTrue(SimulatedDevice.unavailable().isEmpty(), "the simulated GPU was not built");
  }

  /** Inputs of another shape for each thread, so that each makes a plan and a stream of its own. */
  private static Map<String, Tensor> inputs(int thread) {
    return SmallModel.inputs(1, 3 + thread, thread);
  }

  private static float[] answer(Session session, int thread) {
    return session.run(inputs(thread)).get("y").toFloats();
  }

  private List<float[]> healthy(Model model) {
    try (SimulatedDevice _ = SimulatedDevice.open(DeviceSettings.DEFAULT);
        Session session = model.session(SIMULATED)) {
      return List.of(answer(session, 0), answer(session, 1));
    }
  }

  private static long freeBytes() {
    try (CudaContext context = CudaDriver.open().context(0)) {
      return context.freeBytes();
    }
  }

  /** Two threads that start together; how often each failed, and how. */
  private static List<List<DriverException>> together(
      Callable<List<DriverException>> one, Callable<List<DriverException>> other) throws Exception {
    CyclicBarrier start = new CyclicBarrier(2);
    try (ExecutorService executor = Executors.newFixedThreadPool(2)) {
      List<Future<List<DriverException>>> results = new ArrayList<>();
      for (Callable<List<DriverException>> each : List.of(one, other)) {
        results.add(
            executor.submit(
                () -> {
                  start.await();
                  return each.call();
                }));
      }
      List<List<DriverException>> failures = new ArrayList<>();
      for (Future<List<DriverException>> each : results) {
        failures.add(each.get());
      }
      return failures;
    }
  }

  /** Runs of one session: every answer is right, or the failure is kept. */
  private static List<DriverException> runs(Session session, int thread, float[] expected) {
    List<DriverException> failures = new ArrayList<>();
    for (int i = 0; i < RUNS; i++) {
      try {
        assertArrayEquals(expected, answer(session, thread), "thread " + thread + ", run " + i);
      } catch (DriverException failed) {
        failures.add(failed);
      }
    }
    return failures;
  }

  @ParameterizedTest
  @ValueSource(strings = {"launch", "ecc", "copy"})
  void ofTwoSessionsTheOneThatIsStruckIsLostAndTheOtherGoesOn(String kind) throws Exception {
    try (Model model = SmallModel.open(folder)) {
      List<float[]> expected = healthy(model);
      for (int place = 0; place < PLACES; place++) {
        String fault = kind + "=" + (1 + place * 6);
        try (SimulatedDevice device = SimulatedDevice.open(DeviceSettings.DEFAULT)) {
          long allFree = freeBytes();
          try (Session first = model.session(SIMULATED);
              Session second = model.session(SIMULATED)) {
            device.inject(fault);
            List<List<DriverException>> failures =
                together(
                    () -> runs(first, 0, expected.get(0)), () -> runs(second, 1, expected.get(1)));
            int struck = failures.get(0).isEmpty() ? 1 : 0;
            assertEquals(List.of(), failures.get(1 - struck), fault);
            assertTrue(!failures.get(struck).isEmpty(), fault + " strikes one");
            for (DriverException failure : failures.get(struck)) {
              assertEquals(DeviceException.Kind.LOST, failure.kind(), fault);
              assertTrue(failure.remedy().contains("close the session"), failure.toString());
            }
            try (Session successor = model.session(SIMULATED)) {
              assertEquals(List.of(), runs(successor, struck, expected.get(struck)), fault);
            }
          }
          assertEquals(allFree, freeBytes(), fault);
        }
      }
    }
  }

  @Test
  void ofTwoSessionsTheOneThatFindsNoMemoryStaysUsable() throws Exception {
    try (Model model = SmallModel.open(folder)) {
      List<float[]> expected = healthy(model);
      for (int place = 1; place <= PLACES; place++) {
        String fault = "alloc=" + place;
        try (SimulatedDevice device = SimulatedDevice.open(DeviceSettings.DEFAULT)) {
          try (Session first = model.session(SIMULATED);
              Session second = model.session(SIMULATED)) {
            device.inject(fault);
            List<List<DriverException>> failures =
                together(
                    () -> runs(first, 0, expected.get(0)), () -> runs(second, 1, expected.get(1)));
            // the runs that follow in the same session are right, or they would be failures too
            List<DriverException> all = failures.stream().flatMap(List::stream).toList();
            assertEquals(1, all.size(), fault + ": " + all);
            assertEquals(DeviceException.Kind.MEMORY, all.getFirst().kind(), fault);
          }
          assertEquals(List.of(), leaks(device), fault);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"launch", "ecc", "copy", "alloc", "lost"})
  void twoStreamsOfOneSessionAnswerRightOrSayThatTheyFailed(String kind) throws Exception {
    try (Model model = SmallModel.open(folder)) {
      List<float[]> expected = healthy(model);
      for (int place = 0; place < PLACES; place++) {
        String fault = kind + "=" + (1 + place * (kind.equals("alloc") ? 1 : 7));
        try (SimulatedDevice device = SimulatedDevice.open(DeviceSettings.DEFAULT)) {
          DeviceException.Kind wanted =
              kind.equals("alloc") ? DeviceException.Kind.MEMORY : DeviceException.Kind.LOST;
          long allFree = freeBytes();
          try (Session session = model.session(SIMULATED.withConcurrentRuns(2))) {
            device.inject(fault);
            List<DriverException> failures =
                together(
                        () -> runs(session, 0, expected.get(0)),
                        () -> runs(session, 1, expected.get(1)))
                    .stream()
                    .flatMap(List::stream)
                    .toList();
            assertTrue(!failures.isEmpty(), fault + " strikes one");
            failures.forEach(each -> assertEquals(wanted, each.kind(), fault + ": " + each));
            if (kind.equals("alloc")) {
              assertEquals(1, failures.size(), fault + ": " + failures);
              assertEquals(List.of(), runs(session, 1, expected.get(1)));
            }
          }
          if (!kind.equals("lost")) {
            assertEquals(allFree, freeBytes(), fault);
            try (Session successor = model.session(SIMULATED)) {
              assertEquals(List.of(), runs(successor, 0, expected.get(0)), fault);
            }
          }
          assertEquals(List.of(), unordered(device), fault);
        }
      }
    }
  }

  private static List<Finding> leaks(SimulatedDevice device) {
    return device.findings().stream().filter(each -> each.kind().equals("leak")).toList();
  }

  private static List<Finding> unordered(SimulatedDevice device) {
    return device.findings().stream()
        .filter(each -> each.kind().contains("unordered") || each.kind().contains("race"))
        .toList();
  }
}
