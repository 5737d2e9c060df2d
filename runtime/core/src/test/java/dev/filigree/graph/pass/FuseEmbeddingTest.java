package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
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

final class FuseEmbeddingTest {
  private static final Map<String, Tensor> INPUTS =
      Map.of(
          "ids", Tensor.of(new long[] {1, 4, -1, 0, 2, 2}, 2, 3),
          "positions", Tensor.of(new long[] {0, 1, 2}, 1, 3));

  private static GraphBuilder start() {
    return new GraphBuilder(13)
        .input("ids", DType.I64, "batch", "seq")
        .input("positions", DType.I64, 1, "seq")
        .constant("words", random(1, 5, 8))
        .constant("places", random(2, 4, 8));
  }

  private static void assertFuses(Graph graph, List<String> operands) {
    Graph fused = new FuseEmbedding().apply(graph);
    assertEquals(List.of("Embedding"), types(fused));
    assertEquals(operands, only(fused, "Embedding").inputs());
    assertSameValues(graph, fused, INPUTS, 0);
  }

  private static void assertLeftAlone(Graph graph) {
    Graph same = new FuseEmbedding().apply(graph);
    assertEquals(types(graph), types(same));
    assertSameValues(graph, same, INPUTS, 0);
  }

  @Test
  void aLookUpIsFused() {
    assertFuses(
        start().node("Gather", "y", "words", "ids").output("y").build(), List.of("words", "ids"));
  }

  @Test
  void aSumOfLookUpsIsFused() {
    assertFuses(
        start()
            .node("Gather", "word", "words", "ids")
            .node("Gather", "place", "places", "positions")
            .node("Add", "y", "word", "place")
            .output("y")
            .build(),
        List.of("words", "ids", "places", "positions"));
  }

  @Test
  void aLookUpAlongAnotherAxisIsLeftAlone() {
    assertLeftAlone(
        start()
            .node("Gather", Map.of("axis", 1), List.of("y"), "words", "ids")
            .output("y")
            .build());
  }

  @Test
  void aTableThatIsNoConstantOrNoMatrixIsLeftAlone() {
    assertLeftAlone(
        start()
            .longs("first", 0)
            .node("Cast", Map.of("to", 1), List.of("table"), "positions")
            .node("Gather", "y", "table", "first")
            .output("y")
            .build());
    assertLeftAlone(
        start()
            .constant("vector", random(3, 5))
            .node("Gather", "y", "vector", "ids")
            .output("y")
            .build());
  }

  @Test
  void aSumWithSomethingElseKeepsTheSum() {
    Graph graph =
        start()
            .constant("bias", random(4, 8))
            .node("Gather", "word", "words", "ids")
            .node("Add", "y", "word", "bias")
            .output("y")
            .build();
    Graph fused = new FuseEmbedding().apply(graph);
    assertEquals(List.of("Embedding", "Add"), types(fused));
    assertSameValues(graph, fused, INPUTS, 0);
  }

  @Test
  void tablesOfDifferentWidthKeepTheSum() {
    Graph graph =
        start()
            .constant("flags", random(4, 5, 1))
            .node("Gather", "word", "words", "ids")
            .node("Gather", "flag", "flags", "ids")
            .node("Add", "y", "word", "flag")
            .output("y")
            .build();
    Graph fused = new FuseEmbedding().apply(graph);
    assertEquals(List.of("Embedding", "Embedding", "Add"), types(fused));
    assertSameValues(graph, fused, INPUTS, 0);
  }
}
