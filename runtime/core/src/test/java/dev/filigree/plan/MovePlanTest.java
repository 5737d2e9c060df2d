package dev.filigree.plan;

import static dev.filigree.plan.Planned.assertAgrees;
import static dev.filigree.plan.Planned.normal;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/** Planned moves of elements give every byte of the reference operators, Einsum the same sums. */
final class MovePlanTest {
  private static Tensor any(Samples samples, DType dtype, int[] extents) {
    Shape shape = Shape.of(Arrays.stream(extents).asLongStream().toArray());
    Tensor tensor = Tensor.zeros(dtype, shape);
    for (long i = 0; i < tensor.elements(); i++) {
      tensor.setLong(i, dtype == DType.BOOL ? samples.between(0, 1) : samples.between(0, 100));
    }
    return tensor;
  }

  private static int[] extents(Samples samples, int rank, int most) {
    return IntStream.range(0, rank)
        .map(axis -> samples.chance(0.2) ? 1 : samples.between(1, most))
        .toArray();
  }

  private static GraphBuilder graph(DType dtype, int rank) {
    return new GraphBuilder(13)
        .input("x", dtype, IntStream.range(0, rank).mapToObj(axis -> "d" + axis).toArray());
  }

  /** Runs a graph by threads and by the interpreter. */
  private static void assertSame(Graph graph, Tensor x) {
    Tensor expected = new Interpreter(graph).run(Map.of("x", x)).get("y");
    for (int threads = 1; threads <= 3; threads++) {
      SessionOptions options = SessionOptions.defaults().withThreads(threads);
      try (GraphRunner runner =
          new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test")) {
        Tensor actual = runner.run(Map.of("x", x)).get("y");
        assertEquals(expected.shape(), actual.shape());
        assertEquals(-1, expected.data().mismatch(actual.data()), "by " + threads + " threads");
        List<LayerPlan> layers = runner.layers(Map.of("x", x.shape()));
        assertTrue(
            expected.elements() == 0
                || layers.stream().noneMatch(layer -> layer.kernel().equals("reference")),
            layers::toString);
      }
    }
  }

  private static final List<DType> TYPES =
      List.of(
          DType.F32, DType.F64, DType.F16, DType.I64, DType.I32, DType.I8, DType.U8, DType.BOOL);

  @Seeded(60)
  void axesInAnyOrderAreTheReferences(Samples samples) {
    int rank = samples.between(1, 5);
    DType dtype = samples.oneOf(TYPES);
    List<Integer> order = new ArrayList<>(IntStream.range(0, rank).boxed().toList());
    Collections.shuffle(order, new Random(samples.between(0, 1 << 20)));
    Graph graph =
        graph(dtype, rank)
            .node("Transpose", Map.of("perm", order), List.of("y"), "x")
            .output("y", dtype)
            .build();
    assertSame(graph, any(samples, dtype, extents(samples, rank, rank < 4 ? 60 : 15)));
    int[] empty = extents(samples, rank, 5);
    empty[samples.between(0, rank - 1)] = 0;
    assertSame(graph, any(samples, dtype, empty));
  }

  @Seeded(60)
  void rangesOfAxesAreTheReferences(Samples samples) {
    int rank = samples.between(1, 4);
    DType dtype = samples.oneOf(TYPES);
    int axis = samples.between(0, rank - 1);
    Graph graph =
        graph(dtype, rank)
            .longs("starts", samples.between(-9, 3))
            .longs("ends", samples.chance(0.5) ? Long.MAX_VALUE : samples.between(4, 9))
            .longs("axes", samples.chance(0.5) ? axis : axis - rank)
            .longs("steps", samples.between(1, 3))
            .node("Slice", "y", "x", "starts", "ends", "axes", "steps")
            .output("y", dtype)
            .build();
    int[] extents = extents(samples, rank, 30);
    extents[axis] = samples.between(10, 40);
    assertSame(graph, any(samples, dtype, extents));
    Graph backwards =
        graph(dtype, rank)
            .longs("starts", -1)
            .longs("ends", Long.MIN_VALUE)
            .longs("axes", axis)
            .longs("steps", -samples.between(1, 3))
            .node("Slice", "y", "x", "starts", "ends", "axes", "steps")
            .output("y", dtype)
            .build();
    assertSame(backwards, any(samples, dtype, extents));
  }

  @Seeded(40)
  void whatIsRepeatedIsTheReferences(Samples samples) {
    int rank = samples.between(1, 4);
    DType dtype = samples.oneOf(TYPES);
    int[] extents = extents(samples, rank, 12);
    long[] to = new long[rank + 1];
    to[0] = samples.between(1, 4);
    for (int axis = 0; axis < rank; axis++) {
      to[axis + 1] = extents[axis] == 1 ? samples.between(1, 40) : 1;
    }
    Graph graph =
        graph(dtype, rank)
            .longs("shape", to)
            .node("Expand", "y", "x", "shape")
            .output("y", dtype)
            .build();
    assertSame(graph, any(samples, dtype, extents));
  }

  @Seeded(60)
  void sumsOfProductsAreProductsOfMatrices(Samples samples) {
    String equation =
        samples.oneOf(
            List.of(
                "byhwc,hkc->byhwk",
                "byhwc,wkc->byhwk",
                "bij,bjk->bik",
                "bij,bjk->ikb",
                "bhid,bhjd->bhij",
                "ij,kj",
                "...ij,...jk->...ik",
                "ijk,jkl->li"));
    String[] terms = equation.replace("...", "pq").split("->")[0].split(",");
    int[] sizes = new int[128];
    for (char letter = 'a'; letter <= 'z'; letter++) {
      sizes[letter] = samples.between(1, 11);
    }
    int[] left = terms[0].chars().map(letter -> sizes[letter]).toArray();
    int[] right = terms[1].chars().map(letter -> sizes[letter]).toArray();
    boolean constant = samples.chance(0.3);
    GraphBuilder builder = graph(DType.F32, left.length);
    Tensor b = normal(samples, right);
    if (constant) {
      builder.constant("b", b);
    } else {
      Object[] dims = Arrays.stream(right).boxed().toArray();
      builder.input("b", DType.F32, dims);
    }
    Graph graph =
        builder
            .node("Einsum", Map.of("equation", equation), List.of("y"), "x", "b")
            .output("y")
            .build();
    Tensor x = normal(samples, left);
    List<LayerPlan> layers =
        assertAgrees(graph, constant ? Map.of("x", x) : Map.of("x", x, "b", b), 500);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(10)
  void otherSumsOfProductsStayTheReferences(Samples samples) {
    int n = samples.between(2, 9);
    for (String equation : List.of("ii,ij->j", "ij,jk->k", "ij,ij->ij", "ij,kl->ijkl")) {
      Graph graph =
          new GraphBuilder(13)
              .input("x", DType.F32, n, n)
              .input("b", DType.F32, n, n)
              .node("Einsum", Map.of("equation", equation), List.of("y"), "x", "b")
              .output("y")
              .build();
      assertAgrees(
          graph, Map.of("x", normal(samples, n, n), "b", normal(samples, n, n)), 8 * n * n);
    }
  }

  @Seeded(30)
  void productsOfMadeMatricesWithABiasAgree(Samples samples) {
    int m = samples.between(1, 40);
    int n = samples.between(1, 40);
    int k = samples.between(1, 40);
    int a = samples.between(0, 1);
    int b = samples.between(0, 1);
    boolean biased = samples.chance(0.7);
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("a", DType.F32, a == 0 ? m : k, a == 0 ? k : m)
            .input("b", DType.F32, b == 0 ? k : n, b == 0 ? n : k)
            .constant("c", normal(samples, samples.chance(0.5) ? n : 1));
    Map<String, Object> turns = Map.of("transA", a, "transB", b);
    if (biased) {
      builder.node("Gemm", turns, List.of("y"), "a", "b", "c");
    } else {
      builder.node("Gemm", turns, List.of("y"), "a", "b");
    }
    Graph graph = builder.output("y").build();
    Tensor left = a == 0 ? normal(samples, m, k) : normal(samples, k, m);
    Tensor right = b == 0 ? normal(samples, k, n) : normal(samples, n, k);
    List<LayerPlan> layers = assertAgrees(graph, Map.of("a", left, "b", right), 2 * k);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(40)
  void softmaxesAlongAnyAxisAgree(Samples samples) {
    int rank = samples.between(1, 4);
    int[] extents = extents(samples, rank, 12);
    int axis = samples.between(0, rank - 1);
    Graph graph =
        new GraphBuilder(samples.oneOf(List.of(11, 13)))
            .input("x", DType.F32, Arrays.stream(extents).boxed().toArray())
            .node(
                samples.oneOf(List.of("Softmax", "LogSoftmax")),
                Map.of("axis", axis),
                List.of("y"),
                "x")
            .output("y")
            .build();
    List<LayerPlan> layers = assertAgrees(graph, Map.of("x", normal(samples, extents)), 4);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(40)
  void elementsThatRepeatAreTheReferences(Samples samples) {
    DType dtype = samples.oneOf(List.of(DType.U8, DType.I8, DType.I32, DType.F16));
    int rank = samples.between(1, 5);
    int[] extents = extents(samples, rank, 7);
    long[] sizes =
        Arrays.stream(extents).mapToLong(extent -> extent * samples.between(1, 3)).toArray();
    Map<String, Object> floor =
        Map.of("coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor");
    Graph graph =
        graph(dtype, rank)
            .longs("sizes", sizes)
            .node("Resize", floor, List.of("y"), "x", "", "", "sizes")
            .output("y", dtype)
            .build();
    assertSame(graph, any(samples, dtype, extents));
  }
}
