package dev.filigree.plan;

import static dev.filigree.plan.Planned.assertAgrees;
import static dev.filigree.plan.Planned.normal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.pass.Passes;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Planned convolutions and pools give what the interpreter gives for the graph as it was read. */
final class ImagePlanTest {
  private static List<Integer> both(int value) {
    return List.of(value, value);
  }

  @Seeded(60)
  void convolutionsOfAnyWindowAgree(Samples samples) {
    int group = samples.chance(0.3) ? samples.between(2, 5) : 1;
    int channels = group * (group > 1 ? samples.between(1, 5) : samples.between(1, 9));
    int outputs = group * (group > 1 ? samples.between(1, 9) : samples.between(1, 70));
    int kernel = samples.between(1, 4);
    int stride = samples.between(1, 3);
    int dilation = samples.between(1, 2);
    int span = (kernel - 1) * dilation + 1;
    int height = samples.between(span, 21);
    int width = samples.between(span, 21);
    Map<String, Object> attributes =
        Map.of(
            "strides", both(stride),
            "dilations", both(dilation),
            "group", group,
            "pads",
                List.of(
                    samples.between(0, 2),
                    samples.between(0, 2),
                    samples.between(0, 2),
                    samples.between(0, 2)));
    int batch = samples.between(1, 3);
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("x", DType.F32, batch, channels, height, width)
            .constant("w", normal(samples, outputs, channels / group, kernel, kernel))
            .constant("b", normal(samples, outputs));
    boolean plain = samples.chance(0.3);
    if (plain) {
      builder.node("Conv", attributes, List.of("y"), "x", "w");
    } else {
      builder
          .node("Conv", attributes, List.of("c"), "x", "w", "b")
          .node("Sigmoid", "r", "c")
          .node("Conv", attributes, List.of("d"), "x", "w")
          .node("Add", "s", "r", "d")
          .node("Relu", "y", "s");
    }
    Map<String, Tensor> inputs = Map.of("x", normal(samples, batch, channels, height, width));
    List<LayerPlan> layers =
        assertAgrees(builder.output("y").build(), inputs, 4 * channels * kernel * kernel);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(60)
  void poolsOfAnyWindowAgree(Samples samples) {
    int kernel = samples.between(1, 4);
    boolean largest = samples.chance(0.5);
    Map<String, Object> attributes = new HashMap<>();
    attributes.put("kernel_shape", both(kernel));
    attributes.put("strides", both(samples.between(1, 3)));
    attributes.put("ceil_mode", samples.between(0, 1));
    int pad = samples.between(0, kernel / 2);
    attributes.put("pads", List.of(pad, pad, pad, samples.between(0, kernel / 2)));
    boolean padding = !largest && samples.chance(0.5);
    if (!largest) {
      attributes.put("count_include_pad", padding ? 1 : 0);
    }
    int height = samples.between(kernel, 20);
    int width = samples.between(kernel, 20);
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 2, 3, height, width)
            .node(largest ? "MaxPool" : "AveragePool", attributes, List.of("y"), "x")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(graph, Map.of("x", normal(samples, 2, 3, height, width)), 40);
    assertTrue(
        padding || layers.stream().noneMatch(layer -> layer.kernel().equals("reference")),
        layers::toString);
  }

  @Seeded(30)
  void poolsOfVolumesAgree(Samples samples) {
    List<Integer> kernel = new ArrayList<>();
    List<Integer> strides = new ArrayList<>();
    List<Integer> pads = new ArrayList<>();
    int[] extents = {2, 3, 0, 0, 0};
    for (int axis = 0; axis < 3; axis++) {
      kernel.add(samples.between(1, 3));
      strides.add(samples.between(1, 3));
      pads.add(samples.between(0, kernel.get(axis) / 2));
      extents[axis + 2] = samples.between(3, 9);
    }
    boolean largest = samples.chance(0.5);
    pads.addAll(largest ? pads : Collections.nCopies(3, 0));
    Map<String, Object> attributes = new HashMap<>();
    attributes.put("kernel_shape", kernel);
    attributes.put("strides", strides);
    attributes.put("pads", largest ? pads : Collections.nCopies(6, 0));
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, "n", "c", "d", "h", "w")
            .node(largest ? "MaxPool" : "AveragePool", attributes, List.of("y"), "x")
            .output("y")
            .build();
    List<LayerPlan> layers = assertAgrees(graph, Map.of("x", normal(samples, extents)), 30);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(10)
  void planesLargerThanTheCacheAgree(Samples samples) {
    int channels = samples.between(1, 20);
    int stride = samples.between(1, 3);
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 2, channels, 67, 143)
            .constant("w", normal(samples, channels, 1, 5, 5))
            .node(
                "Conv",
                Map.of("group", channels, "strides", both(stride), "pads", List.of(2, 1, 2, 3)),
                List.of("c"),
                "x",
                "w")
            .node("MaxPool", Map.of("kernel_shape", both(3), "strides", both(2)), List.of("y"), "c")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(graph, Map.of("x", normal(samples, 2, channels, 67, 143)), 100);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(30)
  void filtersOfOneChannelSlideOverPlanes(Samples samples) {
    int channels = samples.between(2, 9);
    int outputs = channels * samples.between(1, 3);
    int batch = samples.between(1, 2);
    int size = samples.between(3, 30);
    Map<String, Object> attributes = Map.of("group", channels, "pads", List.of(1, 1, 1, 1));
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, batch, channels, size, size)
            .input("r", DType.F32, batch, outputs, size, size)
            .constant("w", normal(samples, outputs, 1, 3, 3))
            .constant("b", normal(samples, outputs))
            .node("Conv", attributes, List.of("c"), "x", "w", "b")
            .node("Add", "s", "r", "c")
            .node("Relu", "y", "s")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(
            graph,
            Map.of(
                "x",
                normal(samples, batch, channels, size, size),
                "r",
                normal(samples, batch, outputs, size, size)),
            40);
    assertEquals(1, layers.size());
    assertTrue(layers.getFirst().reason().startsWith("filters of one channel"), layers::toString);
  }

  @Seeded(30)
  void productsOfComputedMatricesAgree(Samples samples) {
    int m = samples.between(1, 70);
    int k = samples.between(1, 20);
    int n = samples.between(1, 40);
    int heads = samples.between(1, 3);
    boolean shared = samples.chance(0.3);
    GraphBuilder builder = new GraphBuilder(13).input("a", DType.F32, 2, heads, m, k);
    if (shared) {
      builder.input("b", DType.F32, k, n);
    } else {
      builder.input("b", DType.F32, 2, 1, k, n);
    }
    Graph graph = builder.node("MatMul", "y", "a", "b").output("y").build();
    List<LayerPlan> layers =
        assertAgrees(
            graph,
            Map.of(
                "a",
                normal(samples, 2, heads, m, k),
                "b",
                shared ? normal(samples, k, n) : normal(samples, 2, 1, k, n)),
            4 * k);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(20)
  void aBatchNormalisationIsFoldedIntoTheConvolutionBeforeIt(Samples samples) {
    boolean transpose = samples.chance(0.5);
    int channels = samples.between(1, 6);
    int outputs = samples.between(1, 6);
    Tensor variance = Tensor.zeros(DType.F32, Shape.of(outputs));
    for (int i = 0; i < outputs; i++) {
      variance.setDouble(i, 0.1 + samples.between(0, 20) * 0.1);
    }
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("x", DType.F32, 2, channels, 6, 7)
            .constant(
                "w",
                transpose
                    ? normal(samples, channels, outputs, 3, 3)
                    : normal(samples, outputs, channels, 3, 3))
            .constant("b", normal(samples, outputs))
            .constant("scale", normal(samples, outputs))
            .constant("shift", normal(samples, outputs))
            .constant("mean", normal(samples, outputs))
            .constant("variance", variance);
    String type = transpose ? "ConvTranspose" : "Conv";
    boolean bias = samples.chance(0.5);
    builder.node(
        type,
        Map.of(),
        List.of("c"),
        bias ? new String[] {"x", "w", "b"} : new String[] {"x", "w"});
    Graph graph =
        builder
            .node("BatchNormalization", "y", "c", "scale", "shift", "mean", "variance")
            .output("y")
            .build();
    assertAgrees(graph, Map.of("x", normal(samples, 2, channels, 6, 7)), 60 * channels);
    assertEquals(1, Passes.standard(graph).nodes().size());
  }

  @Seeded(20)
  void weightsWithTwoOfFourChannelsRunSparse(Samples samples) {
    int channels = 4 * samples.between(1, 3);
    int outputs = samples.between(1, 20);
    Tensor weights = normal(samples, outputs, channels, 3, 3);
    for (int i = 0; i < weights.elements(); i++) {
      if (i / 9 % 4 < 2) {
        weights.setDouble(i, 0);
      }
    }
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 1, channels, 9, 9)
            .constant("w", weights)
            .node("Conv", Map.of("pads", List.of(1, 1, 1, 1)), List.of("y"), "x", "w")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(graph, Map.of("x", normal(samples, 1, channels, 9, 9)), 60 * channels);
    assertTrue(layers.getFirst().format().startsWith("2:4"), layers::toString);
  }

  @Seeded(80)
  void transposedConvolutionsOfAnyWindowAreLayers(Samples samples) {
    int axes = samples.between(1, 2);
    int kernel = samples.between(1, 7);
    int stride = samples.between(1, 4);
    int added = samples.between(0, Math.max(0, Math.ceilDiv(kernel, stride) * stride - kernel));
    int group = samples.chance(0.3) ? samples.between(2, 3) : 1;
    int[] input = axes == 1 ? new int[] {2, 3 * group, 7} : new int[] {2, 3 * group, 5, 7};
    int[] window =
        axes == 1
            ? new int[] {3 * group, 2, kernel}
            : new int[] {3 * group, 2, kernel, samples.between(kernel, kernel + 1)};
    List<Integer> pads = new ArrayList<>();
    for (int end = 0; end < 2 * axes; end++) {
      pads.add(samples.between(end < axes ? 0 : added, Math.max(added, kernel - 1)));
    }
    Map<String, Object> attributes =
        Map.of(
            "strides",
            Collections.nCopies(axes, stride),
            "output_padding",
            Collections.nCopies(axes, Math.min(added, stride - 1)),
            "group",
            group,
            "pads",
            pads);
    boolean plain = samples.chance(0.3);
    String[] operands = plain ? new String[] {"x", "w"} : new String[] {"x", "w", "b"};
    Graph graph =
        new GraphBuilder(samples.chance(0.5) ? 9 : 13)
            .input("x", DType.F32, Arrays.stream(input).boxed().toArray())
            .constant("w", normal(samples, window))
            .constant("b", normal(samples, 2 * group))
            .node("ConvTranspose", attributes, List.of("y"), operands)
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(graph, Map.of("x", normal(samples, input)), 3 * kernel * (kernel + 1));
    assertTrue(!layers.getFirst().kernel().equals("reference"), layers::toString);
  }

  @Seeded(40)
  void numbersByPlaneAgreeAndGoIntoTheConvolutionBeforeThem(Samples samples) {
    int channels = samples.between(1, 6);
    int height = samples.between(1, 21);
    int width = samples.between(1, 21);
    boolean one = samples.chance(0.5);
    Tensor numbers = one ? normal(samples, 1) : normal(samples, channels, 1, 1);
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 2, channels, height, width)
            .constant("w", normal(samples, channels, channels, 1, 1))
            .constant("n", numbers)
            .constant("m", normal(samples, 1, channels, 1, 1))
            .node("Conv", "c", "x", "w")
            .node("Mul", "s", "n", "c")
            .node("Add", "t", "s", "m")
            .node("Sigmoid", "a", "t")
            .node("GlobalAveragePool", "g", "a")
            .node("Mul", "b", "a", "g")
            .node("Mul", "d", "b", "m")
            .node("Add", "y", "d", "n")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(
            graph, Map.of("x", normal(samples, 2, channels, height, width)), 40 * channels);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
    assertEquals(5, Passes.standard(graph).nodes().size());
  }

  @Seeded(20)
  void windowsThatDoNotOverlapBecomeAProductWithTheirBatchNormalisation(Samples samples) {
    int channels = samples.between(1, 6);
    int outputs = samples.between(1, 6);
    int block = samples.between(1, 3);
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 2, channels, 5, 7)
            .constant("w", normal(samples, channels, outputs, block, block))
            .constant("b", normal(samples, outputs, 1, 1))
            .node(
                "ConvTranspose",
                Map.of("strides", both(block), "kernel_shape", both(block)),
                List.of("c"),
                "x",
                "w")
            .node("Add", "s", "c", "b")
            .node("Relu", "y", "s")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(graph, Map.of("x", normal(samples, 2, channels, 5, 7)), 40 * channels);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  /** PyTorch's exporter computes the extents of what it shuffles, halves or cuts. */
  @Seeded(4)
  void convolutionsBehindExtentsThatAreComputedAreLayers(Samples samples) {
    for (String type : List.of("Resize", "Reshape", "Slice", "Tile", "Pad")) {
      GraphBuilder builder =
          new GraphBuilder(13)
              .input("x", DType.F32, "n", 4, "h", "w")
              .constant("kernel", normal(samples, 6, 4, 1, 1))
              .longs("first", 0)
              .longs("middle", 2)
              .longs("last", 4)
              .longs("two", 2)
              .longs("image", 2, 3)
              .longs("zeros", 0, 0)
              .longs("none", 0, 0, 0, 0, 0, 0)
              .longs("ones", 1, 1)
              .node("Shape", "shape", "x")
              .node("Slice", "outer", "shape", "first", "middle")
              .node("Slice", "inner", "shape", "middle", "last")
              .node("Div", "half", "inner", "two");
      switch (type) {
        case "Resize" ->
            builder
                .node("Concat", Map.of("axis", 0), List.of("sizes"), "outer", "half")
                .node(type, "z", "x", "", "", "sizes");
        case "Reshape" ->
            builder
                .node("Mul", "even", "half", "two")
                .node("Concat", Map.of("axis", 0), List.of("sizes"), "outer", "even")
                .node(type, "z", "x", "sizes");
        case "Slice" -> builder.node(type, "z", "x", "zeros", "half", "image");
        case "Tile" ->
            builder
                .node("Concat", Map.of("axis", 0), List.of("repeats"), "ones", "half")
                .node(type, "z", "x", "repeats");
        default ->
            builder
                .node("Concat", Map.of("axis", 0), List.of("pads"), "none", "half")
                .node(type, "z", "x", "pads");
      }
      Graph graph = builder.node("Conv", "y", "z", "kernel").output("y").build();
      List<LayerPlan> layers = assertAgrees(graph, Map.of("x", normal(samples, 2, 4, 6, 8)), 4);
      assertTrue(!layers.getLast().kernel().equals("reference"), () -> type + layers);
    }
  }
}
