package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class ShareEqualNodesTest {
  private static GraphBuilder start() {
    return new GraphBuilder(17)
        .input("x", DType.F32, "batch", 3)
        .scalar("one", 1)
        .scalar("same", 1)
        .scalar("two", 2);
  }

  private static void assertBecomes(List<String> expected, GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph shared = new ShareEqualNodes().apply(graph);
    assertEquals(expected, types(shared));
    assertSameValues(graph, shared, Map.of("x", random(1, 2, 3)), 0);
  }

  @Test
  void chainsOfEqualNodesRunOnce() {
    assertBecomes(
        List.of("Greater", "Where", "Mul"),
        start()
            .node("Greater", "a", "x", "one")
            .node("Where", "b", "a", "x", "two")
            .node("Greater", "c", "x", "same")
            .node("Where", "d", "c", "x", "two")
            .node("Mul", "y", "b", "d"));
  }

  @Test
  void otherOperandsAttributesOrTypesAreOthers() {
    assertBecomes(
        List.of("Add", "Add", "Softmax", "Softmax", "Mul", "Mul", "Add"),
        start()
            .node("Add", "a", "x", "one")
            .node("Add", "b", "x", "two")
            .node("Softmax", Map.of("axis", 1), List.of("c"), "a")
            .node("Softmax", Map.of("axis", 0), List.of("d"), "a")
            .node("Mul", "e", "b", "c")
            .node("Mul", "f", "b", "d")
            .node("Add", "y", "e", "f"));
  }

  @Test
  void anOutputKeepsItsNode() {
    Graph graph =
        start().node("Add", "a", "x", "one").node("Add", "y", "x", "same").output("y").build();
    assertEquals(List.of("Add", "Add"), types(new ShareEqualNodes().apply(graph)));
  }

  @Test
  void randomNumbersStayApart() {
    Graph graph =
        start()
            .node("RandomNormalLike", "a", "x")
            .node("RandomNormalLike", "b", "x")
            .node("Sub", "y", "a", "b")
            .output("y")
            .build();
    assertEquals(3, new ShareEqualNodes().apply(graph).nodes().size());
  }
}
