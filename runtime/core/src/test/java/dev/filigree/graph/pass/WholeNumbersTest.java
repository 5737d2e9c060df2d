package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.count;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.plan.GraphRunner;
import dev.filigree.plan.LayerPlan;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Networks of codes give the same bits on whole f32 numbers as their reference kernels give. */
final class WholeNumbersTest {
  private static final Samples SEEDED = new Samples(5);

  private static Tensor codes(Samples samples, DType dtype, long... extents) {
    Tensor tensor = Tensor.zeros(dtype, Shape.of(extents));
    for (long i = 0; i < tensor.elements(); i++) {
      tensor.setLong(i, samples.between((int) dtype.least(), (int) dtype.greatest()));
    }
    return tensor;
  }

  private static Tensor floats(float... values) {
    return Tensor.of(values, values.length);
  }

  private static Tensor scalar(float value) {
    return Tensor.of(new float[] {value});
  }

  /** Runs a graph as planned and compares each output with the interpreter's of the same graph. */
  private static List<LayerPlan> assertSame(Graph graph, Map<String, Tensor> inputs) {
    Map<String, Tensor> expected = new Interpreter(graph).run(inputs);
    SessionOptions options = SessionOptions.defaults().withThreads(1);
    try (GraphRunner runner =
        new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test")) {
      Map<String, Tensor> actual = runner.run(inputs);
      expected.forEach(
          (name, tensor) -> {
            assertEquals(tensor.toString(), actual.get(name).toString());
            assertArrayEquals(tensor.toFloats(), actual.get(name).toFloats(), name);
          });
      Map<String, Shape> shapes = new HashMap<>();
      inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
      return runner.layers(shapes);
    }
  }

  private static void assertNoReference(List<LayerPlan> layers) {
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  /** A network of one convolution of codes. */
  private static Graph convolution(
      Samples samples, DType in, DType out, Tensor w, Map<String, Object> attributes) {
    int outputs = (int) w.shape().extent(0);
    boolean byChannel = samples.chance(0.5);
    float[] scales = new float[byChannel ? outputs : 1];
    for (int i = 0; i < scales.length; i++) {
      // powers of two make ties
      scales[i] = samples.chance(0.3) ? 0x1p-8f : samples.between(1, 1000) * 1e-5f;
    }
    Tensor zeroW = byChannel ? codes(samples, w.dtype(), outputs) : codes(samples, w.dtype());
    Tensor bias = Tensor.zeros(DType.I32, Shape.of(outputs));
    for (int i = 0; i < outputs; i++) {
      bias.setLong(i, samples.between(-5000, 5000));
    }
    List<String> operands = new ArrayList<>(List.of("x", "sx", "zx", "w", "sw", "zw", "sy", "zy"));
    if (samples.chance(0.5)) {
      operands.add("bias");
    }
    Object[] dims = new Object[w.shape().rank()];
    dims[0] = "batch";
    for (int i = 1; i < dims.length; i++) {
      dims[i] = i == 1 ? (Object) ((int) w.shape().extent(1) * group(attributes)) : "d" + i;
    }
    return new GraphBuilder(13)
        .input("x", in, dims)
        .constant("sx", scalar(0.5f))
        .constant("zx", codes(samples, in))
        .constant("w", w)
        .constant("sw", floats(scales))
        .constant("zw", zeroW)
        .constant("sy", scalar(samples.chance(0.5) ? 1 : 0.7f))
        .constant("zy", codes(samples, out))
        .constant("bias", bias)
        .node("QLinearConv", attributes, List.of("y"), operands.toArray(String[]::new))
        .output("y", out)
        .build();
  }

  private static int group(Map<String, Object> attributes) {
    return (int) attributes.getOrDefault("group", 1);
  }

  @Seeded(60)
  void convolutionsGiveTheSameCodes(Samples samples) {
    int axes = samples.between(1, 2);
    int group = samples.between(1, 3);
    int channels = samples.chance(0.3) ? 1 : samples.between(2, 5);
    int outputs = group * (samples.chance(0.3) ? 1 : samples.between(2, 4));
    int kernel = samples.between(1, 4);
    int[] pads = IntStream.range(0, 2 * axes).map(i -> samples.between(0, 2)).toArray();
    Map<String, Object> attributes =
        Map.of(
            "group", group,
            "strides", IntStream.range(0, axes).mapToObj(i -> samples.between(1, 3)).toList(),
            "dilations", IntStream.range(0, axes).mapToObj(i -> samples.between(1, 2)).toList(),
            "pads", IntStream.of(pads).boxed().toList());
    List<DType> types = List.of(DType.U8, DType.I8);
    DType in = samples.oneOf(types);
    long[] shape = new long[axes + 2];
    long[] image = new long[axes + 2];
    shape[0] = outputs;
    shape[1] = channels;
    image[0] = samples.between(1, 3);
    image[1] = (long) group * channels;
    for (int i = 2; i < shape.length; i++) {
      shape[i] = kernel;
      image[i] = samples.between(8, 14);
    }
    Graph graph =
        convolution(
            samples,
            in,
            samples.oneOf(types),
            codes(samples, samples.oneOf(types), shape),
            attributes);
    assertNoReference(assertSame(graph, Map.of("x", codes(samples, in, image))));
  }

  /** 700 channels of weights up to 255 pass 2^24, but not 2^28. */
  @Test
  void sumsBeyondTheIntegersOfFloatsComeInTwoParts() {
    Tensor w = Tensor.zeros(DType.U8, Shape.of(3, 700, 1, 1));
    for (long i = 0; i < w.elements(); i++) {
      w.setLong(i, i < 1400 ? 255 - i % 3 : i % 256);
    }
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.U8, 1, 700, 2, 2)
            .constant("w", w)
            .node("ConvInteger", "sum", "x", "w")
            .node("Cast", Map.of("to", 1), List.of("y"), "sum")
            .output("sum", DType.I32)
            .output("y")
            .build();
    assertEquals(2, count(Passes.onWholeNumbers(graph), "Convolution"));
    Tensor x = Tensor.zeros(DType.U8, Shape.of(1, 700, 2, 2));
    for (long i = 0; i < x.elements(); i++) {
      x.setLong(i, 255 - i % 7);
    }
    assertSame(graph, Map.of("x", x));
    long most = 0;
    for (long sum : new Interpreter(graph).run(Map.of("x", x)).get("sum").toLongs()) {
      most = Math.max(most, sum);
    }
    assertTrue(most > ExactWeights.EXACT, "sums up to " + most + " show nothing");
  }

  @Test
  void sumsThatNoTwoPartsHoldStayIntegers() {
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.U8, 1, 9000, 1, 1)
            .constant("w", codes(SEEDED, DType.U8, 1, 9000, 1, 1))
            .node("ConvInteger", "y", "x", "w")
            .output("y", DType.I32)
            .build();
    assertEquals(List.of("ConvInteger"), types(Passes.onWholeNumbers(graph)));
    assertSame(graph, Map.of("x", codes(SEEDED, DType.U8, 1, 9000, 1, 1)));
  }

  /** What the dynamic quantisation of convolutions writes. */
  @Test
  void dynamicConvolutionsNeedNoBytes() {
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, "b", 4, 9, 7)
            .constant("w", codes(SEEDED, DType.U8, 6, 4, 3, 3))
            .constant("zw", codes(SEEDED, DType.U8))
            .constant("sw", scalar(0.013f))
            .constant("bias", Check.random(3, 1, 6, 1, 1))
            .node("DynamicQuantizeLinear", Map.of(), List.of("q", "s", "z"), "x")
            .node(
                "ConvInteger",
                Map.of("pads", List.of(1, 0, 0, 1)),
                List.of("i"),
                "q",
                "w",
                "z",
                "zw")
            .node("Cast", Map.of("to", 1), List.of("f"), "i")
            .node("Mul", "scale", "s", "sw")
            .node("Mul", "g", "f", "scale")
            .node("Add", "y", "g", "bias")
            .output("y")
            .build();
    Graph whole = Passes.onWholeNumbers(graph);
    assertEquals(0, count(whole, "Cast") + count(whole, "DynamicQuantizeLinear"), whole::toString);
    List<LayerPlan> layers = assertSame(graph, Map.of("x", Check.random(1, 2, 4, 9, 7)));
    assertEquals(
        List.of("Mul"),
        layers.stream()
            .filter(layer -> layer.kernel().equals("reference"))
            .map(LayerPlan::operator)
            .toList(),
        layers::toString);
  }

  @Seeded(20)
  void matricesGiveTheSameCodes(Samples samples) {
    int in = samples.between(1, 40);
    int out = samples.between(1, 9);
    DType type = samples.oneOf(List.of(DType.U8, DType.I8));
    boolean byColumn = samples.chance(0.5);
    float[] scales = new float[byColumn ? out : 1];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = samples.between(1, 1000) * 1e-5f;
    }
    Graph graph =
        new GraphBuilder(21)
            .input("x", type, "b", 3, in)
            .constant("sx", scalar(0.5f))
            .constant("zx", codes(samples, type))
            .constant("w", codes(samples, DType.I8, in, out))
            .constant("sw", floats(scales))
            .constant("zw", byColumn ? codes(samples, DType.I8, out) : codes(samples, DType.I8))
            .constant("sy", scalar(0.9f))
            .constant("zy", codes(samples, type))
            .constant(
                "bias", Tensor.of(IntStream.range(0, out).map(i -> i * 999 - 500).toArray(), out))
            .node("QLinearMatMul", "y", "x", "sx", "zx", "w", "sw", "zw", "sy", "zy")
            .node("MatMulInteger", "sum", "x", "w", "zx", "zw")
            .node("Add", "biased", "sum", "bias")
            .node("Cast", Map.of("to", 1), List.of("floats"), "biased")
            .output("y", type)
            .output("biased", DType.I32)
            .output("floats")
            .build();
    Graph whole = Passes.onWholeNumbers(graph);
    assertEquals(2, count(whole, "Linear"), whole::toString);
    assertSame(graph, Map.of("x", codes(samples, type, 2, 3, in)));
  }

  /** Codes pass from layer to layer as floats, whatever moves them. */
  @Test
  void bytesAreMadeOnlyForTheOutput() {
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, "b", 3, 8, 8)
            .constant("s", scalar(0.05f))
            .constant("z", codes(SEEDED, DType.U8))
            .constant("w", codes(SEEDED, DType.I8, 4, 3, 3, 3))
            .constant("sw", scalar(0.01f))
            .constant("zw", Tensor.zeros(DType.I8, Shape.of()))
            .constant("v", codes(SEEDED, DType.I8, 2, 8, 1, 1))
            .longs("flat", 0, -1)
            .node("QuantizeLinear", "q", "x", "s", "z")
            .node("QLinearConv", "c", "q", "s", "z", "w", "sw", "zw", "s", "z")
            .node(
                "MaxPool",
                Map.of("kernel_shape", List.of(2, 2), "strides", List.of(2, 2)),
                List.of("m"),
                "c")
            .node("Concat", Map.of("axis", 1), List.of("d"), "m", "m")
            .node("QLinearConv", "e", "d", "s", "z", "v", "sw", "zw", "s", "z")
            .node("Reshape", "r", "e", "flat")
            .node("DequantizeLinear", "y", "r", "s", "z")
            .output("r", DType.U8)
            .output("y")
            .build();
    Graph whole = Passes.onWholeNumbers(graph);
    assertEquals(1, count(whole, "QuantizeLinear"), whole::toString);
    assertEquals(0, count(whole, "DequantizeLinear"), whole::toString);
    assertSame(graph, Map.of("x", Check.random(4, 2, 3, 8, 8)));
  }

  /** A zero point that another producer does not have is taken from the bytes. */
  @Test
  void codesReadUnderAnotherZeroPointAreReadAnew() {
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, "b", 3, 5, 5)
            .constant("s", scalar(0.05f))
            .constant("z", codes(SEEDED, DType.U8))
            .constant("other", codes(SEEDED, DType.U8))
            .constant("w", codes(SEEDED, DType.I8, 4, 3, 3, 3))
            .constant("zw", Tensor.zeros(DType.I8, Shape.of()))
            .node("QuantizeLinear", "q", "x", "s", "z")
            .node("QLinearConv", "y", "q", "s", "other", "w", "s", "zw", "s", "z")
            .node("DequantizeLinear", "f", "q", "s", "other")
            .output("y", DType.U8)
            .output("f")
            .build();
    assertSame(graph, Map.of("x", Check.random(4, 2, 3, 5, 5)));
  }
}
