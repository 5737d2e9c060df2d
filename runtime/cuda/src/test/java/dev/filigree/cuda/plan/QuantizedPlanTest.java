package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedGpu;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Operators on codes of eight bits in plans of the simulated device, against the interpreter: none
 * runs in the process, sums and codes are the same bit for bit.
 */
@SimulatedGpu
class QuantizedPlanTest {
  private final Random random = new Random(17);

  private Tensor codes(DType dtype, long... extents) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
    for (long i = 0; i < tensor.elements(); i++) {
      // the ends of the range are as likely as all between them
      int code = random.nextInt(4) == 0 ? random.nextInt(2) * 255 : random.nextInt(256);
      tensor.setLong(i, dtype == DType.I8 ? code - 128 : code);
    }
    return tensor;
  }

  private Tensor scales(int count) {
    float[] scales = new float[count];
    for (int i = 0; i < count; i++) {
      scales[i] = 1e-3f + random.nextFloat() / 20;
    }
    return count == 1 ? Tensor.of(scales) : Tensor.of(scales, count);
  }

  private static Tensor one(DType dtype, long value) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of());
    tensor.setLong(0, value);
    return tensor;
  }

  /** Runs a graph in the process and on the device. */
  private static Map<String, Tensor> both(Graph graph, Map<String, Tensor> inputs) {
    Tensor expected = new Interpreter(graph).run(inputs).get("y");
    try (DeviceRunner runner =
        new DeviceRunner(graph, SessionOptions.defaults(), CudaDriver.open().context(0))) {
      Map<String, Shape> shapes = new HashMap<>();
      inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
      List<String> inProcess =
          runner.layers(shapes).stream()
              .filter(layer -> layer.kernel().startsWith("cpu"))
              .map(LayerPlan::operator)
              .toList();
      assertEquals(List.of(), inProcess);
      return Map.of("expected", expected, "found", runner.run(inputs).get("y"));
    }
  }

  private static void assertSame(Graph graph, Map<String, Tensor> inputs) {
    Map<String, Tensor> results = both(graph, inputs);
    Tensor expected = results.get("expected");
    assertEquals(expected.toString(), results.get("found").toString());
    for (long i = 0; i < expected.elements(); i++) {
      assertEquals(expected.getLong(i), results.get("found").getLong(i), "element " + i);
    }
  }

  @ParameterizedTest
  @CsvSource({
    // types of x, w and y; batch, channels, height, width; outputs, groups, window, stride, pad,
    // dilation; whether every output has a scale and a zero point of its own
    "U8, I8, U8, 2, 5, 9, 11, 7, 1, 3, 1, 1, 1, true",
    "I8, I8, I8, 1, 8, 12, 21, 16, 2, 3, 2, 1, 1, false",
    "U8, U8, U8, 1, 6, 7, 7, 6, 6, 3, 1, 2, 2, true",
    "U8, I8, I8, 3, 17, 1, 5, 33, 1, 1, 1, 0, 1, false"
  })
  void convolutionsOfCodesAreExact(
      DType x,
      DType w,
      DType y,
      int batch,
      int channels,
      int height,
      int width,
      int outputs,
      int groups,
      int window,
      int stride,
      int pad,
      int dilation,
      boolean perOutput) {
    int lines = perOutput ? outputs : 1;
    Tensor bias = Tensor.zeros(DType.I32, Shape.of(outputs));
    for (int i = 0; i < outputs; i++) {
      bias.setLong(i, random.nextInt(-5000, 5000));
    }
    Map<String, Object> attributes =
        Map.of(
            "group", groups,
            "strides", List.of(stride, stride),
            "pads", List.of(pad, pad, pad, pad),
            "dilations", List.of(dilation, dilation));
    Tensor input = codes(x, batch, channels, height, width);
    Tensor weights = codes(w, outputs, channels / groups, window, window);
    Tensor zeroW = perOutput ? codes(w, outputs) : one(w, 3);
    Graph requantised =
        new GraphBuilder(13)
            .input("x", x, batch, channels, height, width)
            .constant("w", weights)
            .constant("scaleX", scales(1))
            .constant("scaleW", scales(lines))
            .constant("scaleY", Tensor.of(new float[] {0.37f}))
            .constant("zeroX", one(x, 100))
            .constant("zeroW", zeroW)
            .constant("zeroY", one(y, 77))
            .constant("bias", bias)
            .node(
                "QLinearConv",
                attributes,
                List.of("y"),
                "x",
                "scaleX",
                "zeroX",
                "w",
                "scaleW",
                "zeroW",
                "scaleY",
                "zeroY",
                "bias")
            .output("y", y)
            .build();
    assertSame(requantised, Map.of("x", input));
    Graph sums =
        new GraphBuilder(13)
            .input("x", x, batch, channels, height, width)
            .constant("w", weights)
            .constant("zeroX", one(x, 100))
            .constant("zeroW", zeroW)
            .node("ConvInteger", attributes, List.of("y"), "x", "w", "zeroX", "zeroW")
            .output("y", DType.I32)
            .build();
    assertSame(sums, Map.of("x", input));
  }

  @Test
  void aConvolutionAlongOneAxisIsExact() {
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.U8, 2, 3, 40)
            .constant("w", codes(DType.U8, 4, 3, 5))
            .node("ConvInteger", Map.of("pads", List.of(2, 1)), List.of("y"), "x", "w")
            .output("y", DType.I32)
            .build();
    assertSame(graph, Map.of("x", codes(DType.U8, 2, 3, 40)));
  }

  @ParameterizedTest
  @CsvSource({
    "U8, I8, U8, 1, 1, 1, 1, true",
    "U8, U8, I8, 3, 65, 33, 70, false",
    "I8, I8, I8, 2, 7, 300, 129, true",
    "I8, U8, U8, 1, 130, 64, 16, true"
  })
  void productsOfCodesAreExact(
      DType a, DType b, DType y, int batch, int rows, int depth, int columns, boolean lines) {
    Tensor left = codes(a, batch, rows, depth);
    Tensor right = codes(b, depth, columns);
    Tensor zeroA = lines ? codes(a, rows) : one(a, 9);
    Tensor zeroB = lines ? codes(b, columns) : one(b, 4);
    Graph sums =
        new GraphBuilder(13)
            .input("a", a, batch, rows, depth)
            .constant("b", right)
            .constant("zeroA", zeroA)
            .constant("zeroB", zeroB)
            .node("MatMulInteger", "y", "a", "b", "zeroA", "zeroB")
            .output("y", DType.I32)
            .build();
    assertSame(sums, Map.of("a", left));
    Graph requantised =
        new GraphBuilder(13)
            .input("a", a, batch, rows, depth)
            .constant("b", right)
            .constant("scaleA", scales(lines ? rows : 1))
            .constant("zeroA", zeroA)
            .constant("scaleB", scales(lines ? columns : 1))
            .constant("zeroB", zeroB)
            .constant("scaleY", Tensor.of(new float[] {0.11f}))
            .constant("zeroY", one(y, 50))
            .node(
                "QLinearMatMul",
                "y",
                "a",
                "scaleA",
                "zeroA",
                "b",
                "scaleB",
                "zeroB",
                "scaleY",
                "zeroY")
            .output("y", y)
            .build();
    assertSame(requantised, Map.of("a", left));
  }

  /** Numbers that f16 holds, so that the device quantises those that the process does. */
  private Tensor floats(long... extents) {
    Tensor tensor = Tensor.zeros(DType.F32, Shape.of(extents));
    for (long i = 0; i < tensor.elements(); i++) {
      float value = (float) random.nextGaussian();
      tensor.setDouble(i, Float.float16ToFloat(Float.floatToFloat16(value)));
    }
    tensor.setDouble(0, Double.NaN);
    tensor.setDouble(1, Double.POSITIVE_INFINITY);
    tensor.setDouble(2, Double.NEGATIVE_INFINITY);
    return tensor;
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1, 2})
  void floatsBecomeTheCodesOfTheirAxis(int axis) {
    long[] extents = {4, 6, 19};
    for (DType dtype : List.of(DType.U8, DType.I8)) {
      int lines = axis < 0 ? 1 : (int) extents[axis];
      GraphBuilder builder =
          new GraphBuilder(13)
              .input("x", DType.F32, 4, 6, 19)
              .constant("scale", scales(lines))
              .constant("zero", axis < 0 ? one(dtype, 20) : codes(dtype, lines))
              .node(
                  "QuantizeLinear",
                  axis < 0 ? Map.of() : Map.of("axis", axis),
                  List.of("y"),
                  "x",
                  "scale",
                  "zero")
              .output("y", dtype);
      assertSame(builder.build(), Map.of("x", floats(extents)));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1, 2})
  void codesBecomeFloatsOfTheirAxis(int axis) {
    long[] extents = {4, 6, 19};
    for (DType dtype : List.of(DType.U8, DType.I8)) {
      int lines = axis < 0 ? 1 : (int) extents[axis];
      Graph graph =
          new GraphBuilder(13)
              .input("x", dtype, 4, 6, 19)
              .constant("scale", scales(lines))
              .constant("zero", axis < 0 ? one(dtype, 20) : codes(dtype, lines))
              .node(
                  "DequantizeLinear",
                  axis < 0 ? Map.of() : Map.of("axis", axis),
                  List.of("y"),
                  "x",
                  "scale",
                  "zero")
              .output("y")
              .build();
      Map<String, Tensor> results = both(graph, Map.of("x", codes(dtype, extents)));
      assertWithin(results, 1.0 / 2048);
    }
  }

  /** Every element is as near as a share of it, of zeros of 1e-6. */
  private static void assertWithin(Map<String, Tensor> results, double share) {
    Tensor expected = results.get("expected");
    for (long i = 0; i < expected.elements(); i++) {
      double wanted = expected.getDouble(i);
      double found = results.get("found").getDouble(i);
      double allowed = Math.max(1e-6, share * Math.abs(wanted));
      assertTrue(Math.abs(wanted - found) <= allowed, i + ": " + found + " for " + wanted);
    }
  }

  /** As ONNX Runtime's dynamic quantisation writes a convolution; its sums are beyond f16. */
  @Test
  void aDynamicallyQuantisedConvolutionRunsWithoutTheProcess() {
    Tensor x = Tensor.zeros(DType.F32, Shape.of(1, 32, 6, 10));
    for (long i = 0; i < x.elements(); i++) {
      x.setDouble(i, Float.float16ToFloat(Float.floatToFloat16(random.nextFloat())));
    }
    Tensor w = Tensor.zeros(DType.U8, Shape.of(8, 32, 3, 3));
    for (long i = 0; i < w.elements(); i++) {
      w.setLong(i, 120 + random.nextInt(100));
    }
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 1, 32, 6, 10)
            .constant("w", w)
            .constant("scaleW", Tensor.of(new float[] {0.004f}))
            .constant("zeroW", one(DType.U8, 118))
            .node("DynamicQuantizeLinear", Map.of(), List.of("q", "scale", "zero"), "x")
            .node("ConvInteger", "sums", "q", "w", "zero", "zeroW")
            .node("Cast", Map.of("to", 1), List.of("wide"), "sums")
            .node("Mul", "scales", "scale", "scaleW")
            .node("Mul", "y", "wide", "scales")
            .output("y")
            .build();
    Map<String, Tensor> results = both(graph, Map.of("x", x));
    assertTrue(results.get("expected").getDouble(40) > 10, "sums are large");
    assertWithin(results, 2e-3);
  }
}
