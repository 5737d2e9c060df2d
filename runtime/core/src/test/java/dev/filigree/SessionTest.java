package dev.filigree;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.plan.LayerPlan;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One session and one caller; see {@link SessionConcurrencyTest} for more of both. */
class SessionTest {
  private static final int IN = 8;
  private static final int OUT = 12;
  private static final SessionOptions SCALAR =
      SessionOptions.defaults().withKernels("scalar").withThreads(2);

  @TempDir private Path folder;
  private final Tensor w = Tensor.of(new Samples(1).normal(IN * OUT), IN, OUT);
  private final Tensor v = Tensor.of(new Samples(2).normal(IN * OUT), IN, OUT);
  private Model model;
  private Session session;

  @BeforeEach
  void open() {
    model = Model.open(twoLayers(folder, w, v));
    session = model.session(SCALAR);
  }

  @AfterEach
  void close() {
    session.close();
    model.close();
  }

  /** {@code sum = relu(a W) + b V} and its softmax. */
  static Path twoLayers(Path folder, Tensor w, Tensor v) {
    return new OnnxModel(13)
        .input("a", DType.F32, "batch", "length", "8")
        .input("b", DType.F32, "batch", "length", "8")
        .initializer("w", w)
        .initializer("v", v)
        .node("MatMul", "aw", "a", "w")
        .node("Relu", "positive", "aw")
        .node("MatMul", "bv", "b", "v")
        .node("Add", "sum", "positive", "bv")
        .node("Softmax", "share", "sum")
        .output("sum", DType.F32, "batch", "length", "12")
        .output("share", DType.F32, "batch", "length", "12")
        .write(folder.resolve("two-layers.onnx"));
  }

  static Map<String, Tensor> inputs(int batch, int length, long seed) {
    Samples samples = new Samples(seed);
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    for (String name : List.of("a", "b")) {
      inputs.put(name, Tensor.of(samples.normal(batch * length * IN), batch, length, IN));
    }
    return inputs;
  }

  private float[] expectedSum(Map<String, Tensor> inputs) {
    float[] a = inputs.get("a").toFloats();
    float[] b = inputs.get("b").toFloats();
    float[] sum = new float[a.length / IN * OUT];
    for (int i = 0; i < sum.length; i++) {
      double left = 0;
      double right = 0;
      for (int k = 0; k < IN; k++) {
        left += a[i / OUT * IN + k] * w.getDouble(k * OUT + i % OUT);
        right += b[i / OUT * IN + k] * v.getDouble(k * OUT + i % OUT);
      }
      sum[i] = (float) (Math.max(0, left) + right);
    }
    return sum;
  }

  @Test
  void runsGiveTheOutputsByNameInTheModelsOrder() {
    for (int[] shape : new int[][] {{1, 1}, {1, 5}, {3, 7}, {2, 64}, {5, 33}}) {
      Map<String, Tensor> inputs = inputs(shape[0], shape[1], 7);
      Map<String, Tensor> outputs = session.run(inputs);
      assertEquals(List.of("sum", "share"), List.copyOf(outputs.keySet()));
      assertEquals(Shape.of(shape[0], shape[1], OUT), outputs.get("sum").shape());
      Floats.assertClose(expectedSum(inputs), outputs.get("sum").toFloats(), 2 * IN);
      float[] share = outputs.get("share").toFloats();
      for (int row = 0; row < share.length / OUT; row++) {
        double total = 0;
        for (int i = 0; i < OUT; i++) {
          total += share[row * OUT + i];
        }
        assertEquals(1, total, 1e-6);
      }
    }
  }

  @Test
  void aStridedInputCountsAsWhatItShows() {
    Map<String, Tensor> inputs = inputs(3, 4, 9);
    Map<String, Tensor> strided = new HashMap<>(inputs);
    Tensor turned = inputs.get("a").permute(1, 0, 2).contiguous();
    strided.put("a", turned.permute(1, 0, 2));
    Floats.assertSameBits(
        session.run(inputs).get("sum").toFloats(), session.run(strided).get("sum").toFloats());
  }

  @Test
  void runsIntoTheCallersTensorsDeliverTheWantedOutputsOnly() {
    Map<String, Tensor> inputs = inputs(2, 3, 5);
    Tensor share = Tensor.zeros(DType.F32, Shape.of(2, 3, OUT));
    session.run(inputs, Map.of("share", share));
    Floats.assertSameBits(session.run(inputs).get("share").toFloats(), share.toFloats());
    session.run(inputs, Map.of());
  }

  @Test
  void anUnknownOutputIsRefusedWithTheNamesThereAre() {
    Tensor target = Tensor.zeros(DType.F32, Shape.of(1, 1, OUT));
    InputException refused =
        assertThrows(
            InputException.class,
            () -> session.run(inputs(1, 1, 1), Map.of("shares", target, "share", target)));
    assertEquals("the model has no output named shares", refused.problem());
    assertEquals(
        "its outputs are [sum: f32[batch, length, 12], share: f32[batch, length, 12]]",
        refused.remedy());
  }

  @Test
  void anOutputTensorThatDoesNotFitIsRefusedWithBothShapes() {
    Tensor small = Tensor.zeros(DType.F32, Shape.of(2, OUT));
    InputException refused =
        assertThrows(
            InputException.class, () -> session.run(inputs(1, 2, 1), Map.of("sum", small)));
    assertEquals(
        "output 'sum' is f32[1, 2, 12] but the tensor for it is f32[2, 12]", refused.problem());
  }

  @Test
  void inputsThatDoNotFitAreRefusedWithWhatTheModelTakes() {
    Map<String, Tensor> good = inputs(2, 3, 1);
    Tensor a = good.get("a");
    assertRefused(
        Map.of("a", a),
        "input 'b' is missing; got [a]; the model takes"
            + " [a: f32[batch, length, 8], b: f32[batch, length, 8]]");
    assertRefused(
        Map.of("a", a, "b", a, "c", a, "d", a),
        "the model has no input named c, d; its inputs are"
            + " [a: f32[batch, length, 8], b: f32[batch, length, 8]]");
    assertRefused(
        Map.of("a", Tensor.zeros(DType.I64, a.shape()), "b", a),
        "input 'a' is i64[2, 3, 8]; the model takes a: f32[batch, length, 8];"
            + " convert the elements to f32");
    assertRefused(
        Map.of("a", a, "b", a.reshape(Shape.of(6, 8))),
        "input 'b' is f32[6, 8]; the model takes b: f32[batch, length, 8]");
    assertRefused(
        Map.of("a", a, "b", a.reshape(Shape.of(2, 4, 6))),
        "input 'b' is f32[2, 4, 6]; the model takes b: f32[batch, length, 8]");
    assertRefused(
        Map.of("a", a, "b", a.reshape(Shape.of(3, 2, 8))),
        "inputs a[2, 3, 8] and b[3, 2, 8] disagree about 'batch': 2 and 3;"
            + " the model takes a: f32[batch, length, 8] and b: f32[batch, length, 8]");
  }

  private void assertRefused(Map<String, Tensor> inputs, String message) {
    assertEquals(
        message, assertThrows(InputException.class, () -> session.run(inputs)).getMessage());
    assertEquals(
        message,
        assertThrows(InputException.class, () -> session.run(inputs, Map.of())).getMessage());
    assertEquals(
        message,
        assertThrows(InputException.class, () -> session.warmUp(inputs, Progress.NONE))
            .getMessage());
  }

  @Test
  void emptyInputsGiveEmptyOutputs() {
    for (int[] shape : new int[][] {{0, 5}, {2, 0}, {0, 0}}) {
      Map<String, Tensor> outputs = session.run(inputs(shape[0], shape[1], 1));
      assertEquals(Shape.of(shape[0], shape[1], OUT), outputs.get("sum").shape());
      assertEquals(Shape.of(shape[0], shape[1], OUT), outputs.get("share").shape());
    }
  }

  @Test
  void thePlanTellsTheKernelOfEachLayerAndWhy() {
    List<LayerPlan> plan = session.plan(shapes(2, 3));
    List<LayerPlan> linear = plan.stream().filter(l -> l.operator().equals("Linear")).toList();
    assertEquals(2, linear.size());
    for (LayerPlan layer : linear) {
      assertEquals("dense f32", layer.format());
      assertEquals(4L * IN * OUT, layer.bytes());
      assertEquals(layer.kernel(), layer.candidates().getFirst().kernel());
      assertTrue(layer.candidates().getFirst().predictedMicros() > 0);
      assertFalse(layer.reason().isBlank());
    }
    assertTrue(plan.stream().anyMatch(layer -> layer.operator().equals("Softmax")));
  }

  @Test
  void aPlanForShapesThatDoNotFitIsRefused() {
    Shape shape = Shape.of(2, 3, IN);
    assertPlanRefused(Map.of("a", shape), "input 'b' is missing; got [a]");
    assertPlanRefused(Map.of("a", shape, "b", Shape.of(2, 3)), "input 'b' has the shape [2, 3]");
    assertPlanRefused(
        Map.of("a", shape, "b", Shape.of(2, 4, IN)),
        "inputs a[2, 3, 8] and b[2, 4, 8] disagree about 'length': 3 and 4");
    assertPlanRefused(Map.of("a", shape, "b", shape, "c", shape), "the model has no input named c");
  }

  private void assertPlanRefused(Map<String, Shape> shapes, String problem) {
    assertEquals(problem, assertThrows(InputException.class, () -> session.plan(shapes)).problem());
  }

  private static Map<String, Shape> shapes(int batch, int length) {
    Shape shape = Shape.of(batch, length, IN);
    return Map.of("a", shape, "b", shape);
  }

  @Test
  void warmingUpChangesNoResult() {
    Map<String, Tensor> inputs = inputs(2, 9, 3);
    float[] before = session.run(inputs).get("sum").toFloats();
    session.warmUp(inputs, Progress.NONE);
    session.warmUp(inputs, Progress.NONE);
    Floats.assertSameBits(before, session.run(inputs).get("sum").toFloats());
  }

  @Test
  void plansOfShapesUsedLongestAgoAreDroppedWithTheirMemory() {
    long two = idleBytesAfter(SCALAR, 90, 100);
    assertTrue(two > 0);
    assertEquals(two, idleBytesAfter(SCALAR.withShapes(2), 10, 20, 30, 90, 100));
    assertEquals(two, idleBytesAfter(SCALAR.withShapes(2), 90, 100, 90, 100, 90));
    // 90 was used again after 95, so that 95 goes
    assertEquals(two, idleBytesAfter(SCALAR.withShapes(2), 90, 95, 90, 100));
  }

  @Test
  void memoryKeptBetweenRunsStaysWithinTheLimit() {
    long limit = 1 << 17;
    assertTrue(idleBytesAfter(SCALAR, 400, 500, 600, 700) > limit);
    long kept = idleBytesAfter(SCALAR.withActivationBytes(limit), 400, 500, 600, 700);
    assertTrue(kept > 0 && kept <= limit, kept + " bytes");
  }

  private long idleBytesAfter(SessionOptions options, int... lengths) {
    try (Session other = model.session(options)) {
      for (int length : lengths) {
        other.run(inputs(1, length, length));
      }
      return other.idleBytes();
    }
  }

  @Test
  void inputsThatNeedMoreMemoryThanAllowedAreRefusedWithTheOption() {
    try (Session small = model.session(SCALAR.withActivationBytes(1 << 16))) {
      InputException refused =
          assertThrows(InputException.class, () -> small.run(inputs(10, 500, 1)));
      assertTrue(refused.problem().contains("more than the 65536 the session may take"));
      assertTrue(refused.remedy().contains("SessionOptions.activationBytes"));
      assertEquals(Shape.of(1, 2, OUT), small.run(inputs(1, 2, 1)).get("sum").shape());
    }
  }

  @Test
  void anInterruptedCallerGetsItsResultAndStaysInterrupted() {
    Map<String, Tensor> inputs = inputs(3, 40, 8);
    float[] expected = session.run(inputs).get("sum").toFloats();
    Thread.currentThread().interrupt();
    float[] actual = session.run(inputs).get("sum").toFloats();
    assertTrue(Thread.interrupted());
    assertArrayEquals(expected, actual);
  }

  @Test
  void aClosedSessionRefusesRunsByName() {
    session.close();
    session.close();
    for (Runnable call :
        List.<Runnable>of(
            () -> session.run(inputs(1, 1, 1)),
            () -> session.run(inputs(1, 1, 1), Map.of()),
            () -> session.warmUp(inputs(1, 1, 1), Progress.NONE),
            () -> session.plan(shapes(1, 1)))) {
      IllegalStateException refused = assertThrows(IllegalStateException.class, call::run);
      assertEquals("session 'two-layers' was closed", refused.getMessage());
    }
  }

  @Test
  void sessionsOutliveTheModelTheyWereOpenedFrom() {
    Map<String, Tensor> inputs = inputs(2, 4, 6);
    float[] expected = session.run(inputs).get("sum").toFloats();
    try (Session second = model.session(SCALAR.withThreads(1))) {
      model.close();
      Floats.assertSameBits(expected, second.run(inputs).get("sum").toFloats());
      session.close();
      Floats.assertSameBits(expected, second.run(inputs(2, 4, 6)).get("sum").toFloats());
      // a shape not seen yet still finds the weights
      assertEquals(Shape.of(1, 9, OUT), second.run(inputs(1, 9, 6)).get("sum").shape());
    }
    assertEquals(
        "model 'two-layers' was closed",
        assertThrows(IllegalStateException.class, () -> model.session(SCALAR)).getMessage());
  }

  @Test
  void aDeviceOrKernelsThatAreNotThereAreRefused() {
    DeviceException device =
        assertThrows(
            DeviceException.class, () -> model.session(SCALAR.withDevice(Device.parse("cuda:1"))));
    assertTrue(device.problem().startsWith("device cuda:1 is not available"), device.problem());
    DeviceException kernels =
        assertThrows(DeviceException.class, () -> model.session(SCALAR.withKernels("magic")));
    assertEquals("no kernels named 'magic' are installed", kernels.problem());
    assertTrue(kernels.remedy().contains("scalar"));
  }
}
