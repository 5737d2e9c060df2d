package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.count;
import static dev.filigree.graph.pass.Check.only;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class UnstackHeadsTest {
  private static final Map<String, Tensor> INPUTS = Map.of("x", random(1, 2, 5, 24));

  private static GraphBuilder stacked() {
    return new GraphBuilder(17)
        .input("x", DType.F32, "batch", "seq", 24)
        .longs("shape", 0, 0, 3, 2, 4)
        .longs("ones", 1, 1, 1)
        .longs("zero", 0)
        .longs("two", 2)
        .node("Reshape", "stacked", "x", "shape");
  }

  private static GraphBuilder attend(GraphBuilder builder) {
    return builder
        .longs("joined", 0, 0, 8)
        .node("Transpose", Map.of("perm", List.of(0, 1, 3, 2)), List.of("turned"), "k")
        .node("MatMul", "scores", "q", "turned")
        .node("Softmax", Map.of("axis", -1), List.of("shares"), "scores")
        .node("MatMul", "context", "shares", "v")
        .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("tokens"), "context")
        .node("Reshape", "y", "tokens", "joined")
        .output("y");
  }

  private static void assertFuses(GraphBuilder builder) {
    Graph graph = attend(builder).build();
    Graph fused = Passes.standard(graph);
    assertEquals(List.of("Slice", "Slice", "Slice", "Attention"), types(fused));
    assertSameValues(graph, fused, INPUTS, 1e-6f);
  }

  @Test
  void ofAnAxisThatComesFirst() {
    assertFuses(
        stacked()
            .node("Transpose", Map.of("perm", List.of(2, 0, 3, 1, 4)), List.of("first"), "stacked")
            .node("Split", Map.of("axis", 0), List.of("a", "b", "c"), "first", "ones")
            .node("Squeeze", "q", "a", "zero")
            .node("Squeeze", "k", "b", "zero")
            .node("Squeeze", "v", "c", "zero"));
  }

  @Test
  void byIndex() {
    GraphBuilder builder =
        stacked()
            .constant("i0", Tensor.of(new long[] {0}))
            .constant("i1", Tensor.of(new long[] {-2}))
            .constant("i2", Tensor.of(new long[] {2}))
            .node("Transpose", Map.of("perm", List.of(2, 0, 3, 1, 4)), List.of("first"), "stacked")
            .node("Gather", "q", "first", "i0")
            .node("Gather", "k", "first", "i1")
            .node("Gather", "v", "first", "i2");
    assertFuses(builder);
  }

  @Test
  void ofAnAxisThatStays() {
    assertFuses(
        stacked()
            .node("Split", Map.of("axis", 2), List.of("a", "b", "c"), "stacked", "ones")
            .node("Squeeze", "qs", "a", "two")
            .node("Squeeze", "ks", "b", "two")
            .node("Squeeze", "vs", "c", "two")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("q"), "qs")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("k"), "ks")
            .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("v"), "vs"));
  }

  @Test
  void anAxisOfHeadsIsNone() {
    Graph graph =
        stacked()
            .constant("i0", Tensor.of(new long[] {1}))
            .node("Gather", Map.of("axis", 3), List.of("y"), "stacked", "i0")
            .output("y")
            .build();
    Graph same = new UnstackHeads().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, INPUTS, 0);
  }

  @Test
  void aLayerOfOneFeatureStays() {
    Graph graph =
        new GraphBuilder(17)
            .input("x", DType.F32, "batch", "seq", 1)
            .constant("w", random(2, 1, 4))
            .node("MatMul", "y", "x", "w")
            .output("y")
            .build();
    assertEquals(List.of("MatMul"), types(new OuterProducts().apply(graph)));
  }

  @Test
  void productsOfOneTermAreElementwise() {
    Graph graph =
        new GraphBuilder(17)
            .input("x", DType.F32, "batch", "seq", 24)
            .constant("column", random(2, 1, 3, 1))
            .longs("axis", 1)
            .node("ReduceSum", "sums", "x", "axis")
            .node("MatMul", "y", "column", "sums")
            .output("y")
            .build();
    Graph outer = new OuterProducts().apply(graph);
    only(outer, "Mul");
    assertEquals(0, count(outer, "MatMul"));
    assertSameValues(graph, outer, INPUTS, 0);
  }
}
