package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.fused.RootMeanSquare;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class FuseRootMeanSquareTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 3, 8));

  private static GraphBuilder start(long axis) {
    return new GraphBuilder(17)
        .input("x", DType.F32, "batch", "seq", 8)
        .scalar("two", 2)
        .scalar("one", 1)
        .scalar("epsilon", 1e-3)
        .constant("scale", random(2, 8))
        .node("Pow", "square", "x", "two")
        .node("ReduceMean", Map.of("axes", List.of(axis)), List.of("mean"), "square")
        .node("Add", "sum", "mean", "epsilon")
        .node("Sqrt", "root", "sum");
  }

  private static void assertFuses(GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph fused = new FuseRootMeanSquare().apply(graph);
    assertEquals(List.of(RootMeanSquare.TYPE), types(fused));
    assertEquals(1e-3f, RootMeanSquare.epsilon(fused.nodes().getFirst()));
    assertSameValues(graph, fused, INPUT, 1e-5f);
  }

  private static void assertLeftAlone(GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    assertEquals(types(graph), types(new FuseRootMeanSquare().apply(graph)));
  }

  @Test
  void theFormsOfBothExportersOfPytorchAreFused() {
    assertFuses(
        start(-1)
            .node("Reciprocal", "inverse", "root")
            .node("Mul", "normal", "x", "inverse")
            .node("Mul", "y", "scale", "normal"));
    assertFuses(
        start(2)
            .node("Div", "inverse", "one", "root")
            .node("Mul", "normal", "inverse", "x")
            .node("Mul", "y", "normal", "scale"));
    assertFuses(start(-1).node("Div", "normal", "x", "root").node("Mul", "y", "normal", "scale"));
  }

  @Test
  void anotherAxisValueOrScaleIsLeftAlone() {
    assertLeftAlone(
        start(1).node("Div", "normal", "x", "root").node("Mul", "y", "normal", "scale"));
    assertLeftAlone(
        start(-1)
            .node("Relu", "other", "x")
            .node("Div", "normal", "other", "root")
            .node("Mul", "y", "normal", "scale"));
    assertLeftAlone(start(-1).node("Div", "normal", "x", "root").node("Mul", "y", "normal", "one"));
    assertLeftAlone(
        start(-1).node("Div", "normal", "root", "x").node("Mul", "y", "normal", "scale"));
  }
}
