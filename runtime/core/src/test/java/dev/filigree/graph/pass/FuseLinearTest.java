package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.only;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Linear;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class FuseLinearTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 3, 8));
  private static final Map<String, Tensor> MATRIX = Map.of("x", random(1, 3, 8));

  private static GraphBuilder start() {
    return new GraphBuilder(13)
        .input("x", DType.F32, "batch", "seq", 8)
        .constant("layer.weight", random(2, 8, 5));
  }

  private static GraphBuilder matrix() {
    return new GraphBuilder(13)
        .input("x", DType.F32, "rows", 8)
        .constant("w", random(2, 8, 5))
        .constant("wT", random(3, 5, 8))
        .constant("b", random(4, 5));
  }

  private static Node assertFuses(Graph graph, Map<String, Tensor> inputs) {
    Graph fused = new FuseLinear().apply(graph);
    assertEquals(List.of("Linear"), types(fused));
    assertSameValues(graph, fused, inputs, 1e-6f);
    Node linear = only(fused, "Linear");
    assertInstanceOf(
        Constant.Compressed.class, fused.constants().get(linear.inputs().get(Linear.WEIGHTS)));
    return linear;
  }

  private static void assertLeftAlone(Graph graph, Map<String, Tensor> inputs) {
    Graph same = new FuseLinear().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, inputs, 0);
  }

  @Test
  void aProductWithAConstantMatrixBecomesALayerThatKnowsItsSource() {
    Graph graph = start().node("MatMul", "y", "x", "layer.weight").output("y").build();
    Node linear = assertFuses(graph, INPUT);
    assertEquals("layer", linear.name());
    assertEquals("layer.weight", Linear.source(linear));
    assertTrue(Linear.isTransposed(linear));
  }

  @Test
  void twoProductsWithOneMatrixShareIt() {
    Graph graph =
        start()
            .node("MatMul", "y", "x", "layer.weight")
            .node("Neg", "minus", "x")
            .node("MatMul", "z", "minus", "layer.weight")
            .output("y")
            .output("z")
            .build();
    Graph fused = new FuseLinear().apply(graph);
    assertEquals(2, Check.count(fused, "Linear"));
    assertSameValues(graph, fused, INPUT, 1e-6f);
  }

  @Test
  void gemmWithAndWithoutTranspositionAndBiasIsFused() {
    assertFuses(matrix().node("Gemm", "y", "x", "w", "b").output("y").build(), MATRIX);
    assertFuses(matrix().node("Gemm", "y", "x", "w").output("y").build(), MATRIX);
    Node linear =
        assertFuses(
            matrix()
                .node("Gemm", Map.of("transB", 1), List.of("y"), "x", "wT", "b")
                .output("y")
                .build(),
            MATRIX);
    assertFalse(Linear.isTransposed(linear));
    assertEquals("b", linear.inputs().get(Linear.BIAS));
  }

  @Test
  void gemmThatScalesOrTransposesItsInputIsLeftAlone() {
    assertLeftAlone(
        matrix().node("Gemm", Map.of("alpha", 2f), List.of("y"), "x", "w").output("y").build(),
        MATRIX);
    assertLeftAlone(
        matrix()
            .node("Gemm", Map.of("beta", 0.5f), List.of("y"), "x", "w", "b")
            .output("y")
            .build(),
        MATRIX);
    assertLeftAlone(
        new GraphBuilder(13)
            .input("x", DType.F32, 8, "rows")
            .constant("w", random(2, 8, 5))
            .node("Gemm", Map.of("transA", 1), List.of("y"), "x", "w")
            .output("y")
            .build(),
        Map.of("x", random(1, 8, 3)));
  }

  @Test
  void gemmWithABiasForEachRowIsLeftAlone() {
    assertLeftAlone(
        matrix()
            .constant("rows", random(5, 3, 1))
            .node("Gemm", "y", "x", "w", "rows")
            .output("y")
            .build(),
        MATRIX);
  }

  @Test
  void aMatrixOnTheLeftOrAProductOfInputsIsLeftAlone() {
    assertLeftAlone(
        new GraphBuilder(13)
            .input("x", DType.F32, 8, "columns")
            .constant("w", random(2, 5, 8))
            .node("MatMul", "y", "w", "x")
            .output("y")
            .build(),
        Map.of("x", random(1, 8, 3)));
    assertLeftAlone(
        new GraphBuilder(13)
            .input("x", DType.F32, "rows", 8)
            .input("z", DType.F32, 8, "columns")
            .node("MatMul", "y", "x", "z")
            .output("y")
            .build(),
        Map.of("x", random(1, 3, 8), "z", random(2, 8, 4)));
  }

  @Test
  void aBatchOfMatricesIsLeftAlone() {
    assertLeftAlone(
        new GraphBuilder(13)
            .input("x", DType.F32, 2, "seq", 8)
            .constant("w", random(2, 2, 8, 5))
            .node("MatMul", "y", "x", "w")
            .output("y")
            .build(),
        INPUT);
  }
}
