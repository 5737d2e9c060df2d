package dev.filigree.plan;

import static dev.filigree.plan.Planned.assertAgrees;
import static dev.filigree.plan.Planned.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Planned reductions and normalisations give every bit that the reference operators give. */
final class ReductionPlanTest {
  private static final List<String> REDUCTIONS =
      List.of(
          "ReduceMean",
          "ReduceSum",
          "ReduceSumSquare",
          "ReduceL1",
          "ReduceL2",
          "ReduceMax",
          "ReduceMin");

  /** Runs a graph by threads and by the interpreter; the layers that the plan names. */
  private static List<LayerPlan> assertSame(Graph graph, Map<String, Tensor> inputs) {
    float[] expected = new Interpreter(graph).run(inputs).get("y").toFloats();
    Map<String, Shape> shapes = new HashMap<>();
    inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    List<LayerPlan> layers = List.of();
    for (int threads = 1; threads <= 3; threads++) {
      SessionOptions options = SessionOptions.defaults().withThreads(threads);
      try (GraphRunner runner =
          new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test")) {
        Tensor actual = runner.run(inputs).get("y");
        assertArrayEquals(expected, actual.toFloats(), "by " + threads + " threads");
        layers = runner.layers(shapes);
      }
    }
    return layers;
  }

  private static void assertFast(List<LayerPlan> layers) {
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(80)
  void reductionsOfNeighbouringAxesAreTheReferences(Samples samples) {
    int rank = samples.between(1, 4);
    int most = rank < 3 ? 300 : 23;
    int[] extents = new int[rank];
    for (int axis = 0; axis < rank; axis++) {
      extents[axis] = samples.chance(0.2) ? 1 : samples.between(1, most);
    }
    int first = samples.between(0, rank - 1);
    int last = samples.between(first, rank - 1);
    List<Integer> axes = new ArrayList<>();
    for (int axis = first; axis <= last; axis++) {
      axes.add(samples.chance(0.5) ? axis : axis - rank);
    }
    Graph graph =
        reduction(samples.oneOf(REDUCTIONS), axes, samples.between(0, 1), new Object[rank]);
    assertFast(assertSame(graph, Map.of("x", normal(samples, extents))));
  }

  private static Graph reduction(String type, List<Integer> axes, int keep, Object[] dims) {
    for (int axis = 0; axis < dims.length; axis++) {
      dims[axis] = dims[axis] == null ? "d" + axis : dims[axis];
    }
    return new GraphBuilder(12)
        .input("x", DType.F32, dims)
        .node(type, Map.of("axes", axes, "keepdims", keep), List.of("y"), "x")
        .output("y")
        .build();
  }

  @Test
  void reductionsOfAxesApartAndOfNothingAreTheReferences() {
    for (String type : REDUCTIONS) {
      Tensor x = normal(new Samples(1), 5, 7, 3);
      assertFast(assertSame(reduction(type, List.of(0, 2), 1, new Object[3]), Map.of("x", x)));
      Tensor nothing = Tensor.of(new float[0], 4, 0, 3);
      assertSame(reduction(type, List.of(1), 1, new Object[3]), Map.of("x", nothing));
      assertSame(reduction(type, List.of(2), 1, new Object[3]), Map.of("x", nothing));
    }
  }

  @Seeded(20)
  void reductionsOfAnyAxesOfAnyNumbersAreTheReferences(Samples samples) {
    List<Integer> axes = new ArrayList<>();
    int[] extents = new int[4];
    for (int axis = 0; axis < 4; axis++) {
      extents[axis] = samples.between(1, 11);
      if (samples.chance(0.5)) {
        axes.add(axis);
      }
    }
    int count = Arrays.stream(extents).reduce(1, (a, b) -> a * b);
    Tensor x =
        Tensor.of(
            samples.anyFloats(count), Arrays.stream(extents).mapToLong(extent -> extent).toArray());
    String type = samples.oneOf(List.of("ReduceMax", "ReduceMin", "ReduceL1"));
    Graph graph = reduction(type, axes, samples.between(0, 1), new Object[4]);
    assertFast(assertSame(graph, Map.of("x", x)));
  }

  @Seeded(20)
  void normalisationsOfGroupsAreTheReferences(Samples samples) {
    int opset = samples.oneOf(List.of(18, 21));
    int groups = samples.between(1, 5);
    int channels = groups * samples.between(1, 5);
    int numbers = opset < 21 ? groups : channels;
    int height = samples.between(1, 20);
    int width = samples.between(1, 20);
    Graph graph =
        new GraphBuilder(opset)
            .input("x", DType.F32, "n", channels, height, width)
            .constant("scale", normal(samples, numbers))
            .constant("bias", normal(samples, numbers))
            .node(
                "GroupNormalization",
                Map.of("epsilon", 1e-3f, "num_groups", groups),
                List.of("y"),
                "x",
                "scale",
                "bias")
            .output("y")
            .build();
    int batch = samples.between(1, 3);
    assertFast(assertSame(graph, Map.of("x", normal(samples, batch, channels, height, width))));
  }

  @Seeded(20)
  void limitsAreTheReferences(Samples samples) {
    boolean first = samples.chance(0.5);
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 5, 7)
            .constant("limit", Tensor.of(samples.normal(1)))
            .node(
                samples.oneOf(List.of("Max", "Min")),
                "y",
                first ? "limit" : "x",
                first ? "x" : "limit")
            .output("y")
            .build();
    assertFast(assertSame(graph, Map.of("x", Tensor.of(samples.anyFloats(35), 5, 7))));
  }

  @Seeded(40)
  void normalisationsOfPlanesAreTheReferences(Samples samples) {
    int channels = samples.between(1, 20);
    int batch = samples.between(1, 3);
    int height = samples.between(1, 50);
    int width = samples.between(1, 50);
    boolean own = samples.chance(0.5);
    float[] variances = samples.normal(channels);
    for (int i = 0; i < channels; i++) {
      variances[i] *= variances[i];
    }
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("x", DType.F32, "n", channels, height, width)
            .constant("scale", normal(samples, channels))
            .constant("bias", normal(samples, channels))
            .constant("mean", normal(samples, channels))
            .constant("variance", Tensor.of(variances, channels));
    Map<String, Object> epsilon = Map.of("epsilon", 1e-3f);
    if (own) {
      builder.node("InstanceNormalization", epsilon, List.of("y"), "x", "scale", "bias");
    } else {
      builder.node(
          "BatchNormalization", epsilon, List.of("y"), "x", "scale", "bias", "mean", "variance");
    }
    Graph graph = builder.output("y").build();
    Map<String, Tensor> inputs = Map.of("x", normal(samples, batch, channels, height, width));
    Map<String, Tensor> nothing = Map.of("x", Tensor.of(new float[0], 0, channels, height, width));
    if (own) {
      assertFast(assertSame(graph, inputs));
      assertSame(graph, nothing);
    } else {
      // a factor and a shift in f32; the reference takes the mean off in double
      assertFast(assertAgrees(graph, inputs, 100));
      assertAgrees(graph, nothing, 1);
    }
  }

  @Seeded(20)
  void squaresAreTheReferences(Samples samples) {
    int rows = samples.between(1, 40);
    int columns = samples.between(1, 40);
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, rows, columns)
            .constant("two", Tensor.of(new float[] {2}))
            .node("Pow", "y", "x", "two")
            .output("y")
            .build();
    Tensor x = Tensor.of(samples.anyFloats(rows * columns), rows, columns);
    assertFast(assertSame(graph, Map.of("x", x)));
  }

  @Seeded(20)
  void largeConstantsAreReadWhereTheyAre(Samples samples) {
    int rows = samples.between(3, 9);
    int columns = samples.between(30_000, 40_000);
    boolean left = samples.chance(0.5);
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, "n", "m", columns)
            .constant("c", normal(samples, rows, columns))
            .node(
                samples.oneOf(List.of("Add", "Sub", "Mul", "Div")),
                "y",
                left ? "c" : "x",
                left ? "x" : "c")
            .output("y")
            .build();
    for (int batch = 1; batch <= 2; batch++) {
      assertFast(assertSame(graph, Map.of("x", normal(samples, batch, rows, columns))));
      assertFast(assertSame(graph, Map.of("x", normal(samples, batch, 1, columns))));
    }
  }
}
