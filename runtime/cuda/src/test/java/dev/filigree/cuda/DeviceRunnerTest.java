package dev.filigree.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Device;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedDevice;
import dev.filigree.simgpu.SimulatedGpu;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.StreamHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions on the simulated device, against the same model on the CPU. */
@SimulatedGpu
class DeviceRunnerTest {
  private static final SessionOptions CPU =
      SessionOptions.defaults().withDevice(Device.cpu()).withKernels("scalar");
  private static final SessionOptions SIMULATED =
      SessionOptions.defaults().withDevice(TestGpu.device());

  /** Inputs and weights are rounded to f16 of 11 bits, and 40 products are summed. */
  private static final float TOLERANCE = 4e-2f;

  @TempDir private Path folder;
  private Model model;

  @BeforeEach
  void open() {
    model = SmallModel.open(folder);
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static void assertClose(Map<String, Tensor> expected, Map<String, Tensor> actual) {
    assertEquals(expected.keySet(), actual.keySet());
    expected.forEach(
        (name, tensor) -> {
          assertEquals(tensor.shape(), actual.get(name).shape());
          assertArrayEquals(tensor.toFloats(), actual.get(name).toFloats(), TOLERANCE, name);
        });
  }

  @Test
  void computesWhatTheCpuComputes() {
    try (Session cpu = model.session(CPU);
        Session device = model.session(SIMULATED)) {
      for (int[] shape : new int[][] {{1, 1}, {2, 3}, {1, 9}, {3, 17}, {2, 40}}) {
        Map<String, Tensor> inputs = SmallModel.inputs(shape[0], shape[1], 3);
        assertClose(cpu.run(inputs), device.run(inputs));
        // a second run replays what the first captured
        assertClose(cpu.run(inputs), device.run(inputs));
      }
      assertEquals(TestGpu.device(), device.device());
      assertEquals("cuda", device.kernels());
      assertTrue(device.packedBytes() > 0);
    }
  }

  @Test
  void deliversIntoTensorsOfTheCallerAndRefusesThoseThatDoNotFit() {
    try (Session device = model.session(SIMULATED)) {
      Map<String, Tensor> inputs = SmallModel.inputs(1, 5, 4);
      Tensor y = Tensor.zeros(DType.F32, Shape.of(1, 5, SmallModel.OUT));
      device.run(inputs, Map.of("y", y));
      assertArrayEquals(device.run(inputs).get("y").toFloats(), y.toFloats());
      Tensor wrong = Tensor.zeros(DType.F32, Shape.of(1, 4, SmallModel.OUT));
      InputException error =
          assertThrows(InputException.class, () -> device.run(inputs, Map.of("y", wrong)));
      assertTrue(error.getMessage().contains("output 'y'"), error.getMessage());
    }
  }

  @Test
  void explainsEveryLayer() {
    try (Session device = model.session(SIMULATED)) {
      List<LayerPlan> layers = device.plan(Map.of("x", Shape.of(1, 8, SmallModel.IN)));
      LayerPlan linear = layers.getFirst();
      assertEquals("Linear", linear.operator());
      assertTrue(linear.kernel().startsWith("linear_dense_f16_"), linear.toString());
      assertTrue(linear.candidates().stream().allMatch(c -> c.predictedMicros() > 0));
      assertTrue(
          linear.candidates().stream().anyMatch(c -> c.kernel().equals(linear.kernel())),
          linear.toString());
    }
  }

  @Test
  void anOperatorTheDeviceLacksRunsInTheProcessAndTheCopyIsShown() {
    try (Session device = model.session(SIMULATED)) {
      LayerPlan mean =
          device.plan(Map.of("x", Shape.of(1, 8, SmallModel.IN))).stream()
              .filter(layer -> layer.operator().equals("Mean"))
              .findFirst()
              .orElseThrow();
      assertEquals("cpu reference", mean.kernel());
      // of 8 x 72 elements each: y, which stays f32, an operand and the result in f16
      assertTrue(
          mean.reason().contains((4 + 2 + 2) * 8 * SmallModel.OUT + " bytes"), mean.reason());
    }
  }

  @Test
  void runsOfSeveralThreadsDoNotDisturbEachOther() throws Exception {
    try (Session cpu = model.session(CPU);
        Session device = model.session(SIMULATED.withConcurrentRuns(3));
        ExecutorService threads = Executors.newFixedThreadPool(3)) {
      List<Callable<Map<String, Tensor>>> runs = new ArrayList<>();
      for (int i = 0; i < 9; i++) {
        Map<String, Tensor> inputs = SmallModel.inputs(1, 4 + i % 3, i);
        runs.add(() -> device.run(inputs));
      }
      List<Future<Map<String, Tensor>>> results = threads.invokeAll(runs);
      for (int i = 0; i < results.size(); i++) {
        assertClose(cpu.run(SmallModel.inputs(1, 4 + i % 3, i)), results.get(i).get());
      }
    }
  }

  @Test
  void keepsNoMoreMemoryThanTheSessionMayTake() {
    long limit = 1 << 16;
    try (Session device = model.session(SIMULATED.withActivationBytes(limit).withShapes(2))) {
      for (int length = 1; length < 6; length++) {
        device.run(SmallModel.inputs(1, length, 5));
        assertTrue(device.idleBytes() <= limit, device.idleBytes() + " bytes");
      }
      InputException error =
          assertThrows(InputException.class, () -> device.run(SmallModel.inputs(8, 200, 6)));
      assertTrue(error.getMessage().contains("activationBytes"), error.getMessage());
    }
  }

  /** Sums beyond f16, divided by each other: numbers on the CPU. */
  @Test
  void saysOnceThatNumbersLeftTheRangeOfTheDevice() {
    List<String> said = new ArrayList<>();
    Handler handler =
        new StreamHandler() {
          @Override
          public void publish(LogRecord entry) {
            said.add(entry.getMessage());
          }
        };
    Logger logger = Logger.getLogger("dev.filigree.cuda.plan.DeviceRunner");
    logger.addHandler(handler);
    try (Session device = model.session(SIMULATED)) {
      device.run(SmallModel.inputs(1, 2, 3));
      assertEquals(List.of(), said);
      Map<String, Tensor> large = SmallModel.inputs(1, 2, 3);
      large.get("x").setDouble(0, 1e6);
      large.get("x").setDouble(1, -1e6);
      device.run(large);
      device.run(large);
      assertEquals(1, said.size(), said.toString());
      assertTrue(said.getFirst().contains("beyond 65504"), said.toString());
    } finally {
      logger.removeHandler(handler);
    }
  }

  @Test
  void leavesNothingOnTheDevice(SimulatedDevice simulated) {
    Session device = model.session(SIMULATED);
    device.run(SmallModel.inputs(2, 3, 7));
    device.close();
    device.close();
    assertEquals(List.of(), simulated.findings());
  }
}
