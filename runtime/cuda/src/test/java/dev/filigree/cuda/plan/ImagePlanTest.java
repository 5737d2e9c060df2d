package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaDriver;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.plan.LayerPlan;
import dev.filigree.simgpu.SimulatedGpu;
import dev.filigree.testing.Samples;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Operators of images in plans of the simulated device, against the interpreter: results are those
 * of operands and results rounded to f16.
 */
@SimulatedGpu
class ImagePlanTest {
  /** Relative to the largest result. */
  private static final double ROUNDING = 3e-3;

  private static final Shape IMAGES = Shape.of(2, 12, 9, 8);

  private record Built(String what, GraphBuilder builder, Shape shape) {
    Built node(String type, String output, Map<String, Object> attributes, String... reads) {
      builder.node(type, attributes, List.of(output), reads);
      return this;
    }

    Built weights(String name, int seed, long... extents) {
      Shape of = Shape.of(extents);
      builder.constant(
          name, Tensor.of(new Samples(seed).normal(Math.toIntExact(of.elements())), extents));
      return this;
    }

    Built constantScales(String name, float... values) {
      builder.constant(name, Tensor.of(values, values.length));
      return this;
    }

    Graph graph() {
      return Passes.standard(builder.output("y").build());
    }

    Arguments arguments() {
      return Arguments.of(Named.of(what, graph()), shape);
    }
  }

  private static Built of(String what, Shape shape) {
    GraphBuilder builder = new GraphBuilder(13);
    Object[] dims = LongStream.of(shape.extents()).mapToObj(extent -> (int) extent).toArray();
    return new Built(what, builder.input("x", DType.F32, dims), shape);
  }

  private static List<Integer> ints(Integer... values) {
    return List.of(values);
  }

  static Stream<Arguments> graphs() {
    Map<String, Object> same = Map.of("pads", ints(1, 1, 1, 1));
    return Stream.of(
            of("a window with a bias, a residual and an activation", IMAGES)
                .weights("w", 1, 12, 12, 3, 3)
                .weights("b", 2, 12)
                .node("Conv", "c", same, "x", "w", "b")
                .node("Add", "a", Map.of(), "c", "x")
                .node("Relu", "y", Map.of(), "a"),
            of("a batch normalised behind", IMAGES)
                .weights("w", 1, 10, 12, 2, 2)
                .weights("s", 2, 10)
                .weights("o", 3, 10)
                .weights("m", 4, 10)
                .weights("one", 5, 10)
                .node("Conv", "c", Map.of("strides", ints(2, 1)), "x", "w")
                .node("Abs", "v", Map.of(), "one")
                .node("BatchNormalization", "y", Map.of(), "c", "s", "o", "m", "v"),
            of("one spatial axis", Shape.of(2, 6, 30))
                .weights("w", 1, 20, 6, 5)
                .node("Conv", "c", Map.of("pads", ints(2, 1), "strides", ints(2)), "x", "w")
                .node("Tanh", "t", Map.of(), "c")
                .node("Mul", "y", Map.of(), "c", "t"),
            of("each channel alone, then all", IMAGES)
                .weights("d", 1, 12, 1, 3, 3)
                .weights("w", 2, 20, 12, 1, 1)
                .node("Conv", "c", Map.of("pads", ints(1, 1, 1, 1), "group", 12), "x", "d")
                .node("HardSigmoid", "h", Map.of(), "c")
                .node("Conv", "y", Map.of(), "h", "w"),
            of("groups", IMAGES)
                .weights("w", 1, 9, 4, 3, 3)
                .node("Conv", "y", Map.of("group", 3, "dilations", ints(2, 1)), "x", "w"),
            of("channels weighted by their means", IMAGES)
                .weights("w", 1, 12, 12, 1, 1)
                .node("GlobalAveragePool", "g", Map.of(), "x")
                .node("Conv", "s", Map.of(), "g", "w")
                .node("Sigmoid", "q", Map.of(), "s")
                .node("Mul", "y", Map.of(), "x", "q"),
            of("pools beside each other", IMAGES)
                .node(
                    "MaxPool",
                    "m",
                    Map.of("kernel_shape", ints(3, 3), "strides", ints(2, 2), "ceil_mode", 1),
                    "x")
                .node(
                    "AveragePool",
                    "a",
                    Map.of("kernel_shape", ints(3, 2), "strides", ints(2, 2)),
                    "x")
                .node("Concat", "y", Map.of("axis", 1), "m", "a"),
            of("twice as large and a bit, then rows", IMAGES)
                .constantScales("scales", 1, 1, 2, 1.5f)
                .node("Resize", "r", Map.of("mode", "linear"), "x", "", "scales")
                .node("Flatten", "y", Map.of(), "r"),
            of("the nearest", IMAGES)
                .constantScales("scales", 1, 1, 2, 3)
                .node(
                    "Resize",
                    "y",
                    Map.of("coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor"),
                    "x",
                    "",
                    "scales"),
            of("windows that overlap, transposed", IMAGES)
                .weights("w", 1, 12, 5, 3, 3)
                .weights("b", 2, 5)
                .node(
                    "ConvTranspose",
                    "y",
                    Map.of("strides", ints(2, 2), "pads", ints(1, 0, 1, 1)),
                    "x",
                    "w",
                    "b"),
            of("windows that do not, transposed", IMAGES)
                .weights("w", 1, 12, 5, 2, 2)
                .node("ConvTranspose", "y", Map.of("strides", ints(2, 2)), "x", "w"),
            of("channels as blocks", IMAGES)
                .node("DepthToSpace", "d", Map.of("blocksize", 2), "x")
                .node("Relu", "y", Map.of(), "d"))
        .map(Built::arguments);
  }

  @ParameterizedTest
  @MethodSource("graphs")
  void runsOnTheDevice(Graph graph, Shape shape) {
    assertEquals(
        List.of(),
        compared(graph, shape, "cuda").stream()
            .map(LayerPlan::kernel)
            .filter(kernel -> kernel.startsWith("cpu"))
            .toList());
  }

  private static List<LayerPlan> compared(Graph graph, Shape shape, String kernels) {
    Samples samples = new Samples(shape.hashCode());
    Tensor x = Tensor.of(samples.normal((int) shape.elements()), shape.extents());
    float[] expected = new Interpreter(graph).run(Map.of("x", x)).get("y").toFloats();
    SessionOptions options = SessionOptions.defaults().withKernels(kernels);
    try (DeviceRunner runner = new DeviceRunner(graph, options, CudaDriver.open().context(0))) {
      float[] found = runner.run(Map.of("x", x)).get("y").toFloats();
      double largest = 1;
      for (float value : expected) {
        largest = Math.max(largest, Math.abs(value));
      }
      double bound = kernels.contains("i8") ? 0.03 : ROUNDING;
      assertArrayEquals(expected, found, (float) (bound * largest));
      return runner.layers(Map.of("x", shape));
    }
  }

  /** Two of every four channels of a large layer. */
  private static Graph sparse() {
    Tensor w = Tensor.of(new Samples(1).normal(128 * 64 * 9), 128, 64, 3, 3);
    for (long i = 0; i < w.elements(); i++) {
      if (i / 9 % 4 == i / 64 / 9 % 4 || i / 9 % 4 == (i / 64 / 9 + 2) % 4) {
        w.setDouble(i, 0);
      }
    }
    Built built = of("sparse", Shape.of(1, 64, 6, 6));
    built.builder.constant("w", w);
    return built.node("Conv", "y", Map.of("pads", List.of(1, 1, 1, 1)), "x", "w").graph();
  }

  @Test
  void twoOfFourChannelsRunOnSparseTensorCores() {
    LayerPlan layer = compared(sparse(), Shape.of(1, 64, 6, 6), "cuda").getFirst();
    assertTrue(layer.kernel().startsWith("convolution_sparse24_f16"), layer.kernel());
    assertTrue(
        layer.candidates().stream().anyMatch(each -> each.kernel().contains("dense")),
        "a dense kernel is a candidate: " + layer.candidates());
    layer = compared(sparse(), Shape.of(1, 64, 6, 6), "convolution_sparse24_i8").getFirst();
    assertTrue(layer.kernel().startsWith("convolution_sparse24_i8"), layer.kernel());
    assertTrue(layer.reason().contains("asked for by the session"), layer.reason());
  }

  @Test
  void explainSaysWhatIsNotPackedAndWhy() {
    Graph odd =
        of("odd", Shape.of(1, 3, 8, 8))
            .weights("w", 1, 5, 3, 3, 3)
            .node("Conv", "y", Map.of(), "x", "w")
            .graph();
    LayerPlan layer = compared(odd, Shape.of(1, 3, 8, 8), "cuda").getFirst();
    assertEquals(Convolution.TYPE, layer.operator());
    assertTrue(layer.reason().contains("not 2:4"), layer.reason());
    assertTrue(layer.reason().contains("3 channels padded to 8"), layer.reason());
    Graph grouped =
        of("grouped", IMAGES)
            .weights("w", 1, 9, 4, 3, 3)
            .node("Conv", "y", Map.of("group", 3), "x", "w")
            .graph();
    layer = compared(grouped, IMAGES, "cuda").getFirst();
    assertTrue(layer.reason().contains("3 groups of 4 channels stay dense"), layer.reason());
  }
}
