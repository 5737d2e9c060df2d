package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
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

final class SinkTransposesTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 3, 4, 5));
  private static final Map<String, Object> LAST = Map.of("perm", List.of(0, 2, 3, 1));
  private static final Map<String, Object> FIRST = Map.of("perm", List.of(0, 3, 1, 2));

  private static GraphBuilder start() {
    return new GraphBuilder(13).input("x", DType.F32, 2, 3, 4, 5).scalar("half", 0.5);
  }

  private static GraphBuilder transposed(
      GraphBuilder builder, Map<String, Object> order, String y, String x) {
    return builder.node("Transpose", order, List.of(y), x);
  }

  private static void assertBecomes(List<String> expected, GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph sunk = new RemoveDeadCode().apply(new SinkTransposes().apply(graph));
    assertEquals(expected, types(sunk));
    assertSameValues(graph, sunk, INPUT, 0);
  }

  @Test
  void whatLiesBetweenTwoThatUndoEachOtherIsComputedAsItLies() {
    GraphBuilder builder = transposed(start(), LAST, "a", "x").node("Relu", "b", "a");
    builder.node("Mul", "c", "b", "half").node("Add", "d", "a", "c");
    transposed(builder, FIRST, "e", "d").node("Exp", "y", "e");
    assertBecomes(List.of("Relu", "Mul", "Add", "Exp"), builder);
  }

  @Test
  void twoThatMeetBecomeOne() {
    GraphBuilder builder = transposed(start(), LAST, "a", "x");
    assertBecomes(List.of("Transpose"), transposed(builder, LAST, "y", "a"));
  }

  @Test
  void operandsInDifferentOrderStayInTheirs() {
    GraphBuilder builder = transposed(start(), LAST, "a", "x");
    builder.node("Transpose", Map.of(), List.of("r"), "x");
    builder.node("ReduceMax", Map.of("keepdims", 1), List.of("m"), "r");
    assertBecomes(
        List.of("Transpose", "Transpose", "ReduceMax", "Add"), builder.node("Add", "y", "a", "m"));
  }

  @Test
  void aVectorAlongAnAxisStaysAlongIt() {
    GraphBuilder builder = transposed(start(), LAST, "a", "x").constant("k", random(2, 3));
    assertBecomes(List.of("Transpose", "Add"), builder.node("Add", "y", "a", "k"));
  }

  @Test
  void whatIsDeliveredKeepsItsName() {
    GraphBuilder builder = transposed(start(), LAST, "a", "x");
    assertBecomes(List.of("Transpose"), transposed(builder, FIRST, "y", "a"));
  }
}
