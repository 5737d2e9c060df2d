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

final class FuseSiluTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 8));

  private static GraphBuilder start() {
    return new GraphBuilder(11).input("x", DType.F32, "batch", 8).scalar("one", 1).scalar("two", 2);
  }

  private static void assertBecomes(List<String> expected, GraphBuilder builder) {
    Graph graph = builder.output("y").build();
    Graph fused = new RemoveDeadCode().apply(new FuseSilu().apply(graph));
    assertEquals(expected, types(fused));
    assertSameValues(graph, fused, INPUT, 1e-6f);
  }

  @Test
  void aValueTimesItsSigmoidIsFused() {
    assertBecomes(List.of("Silu"), start().node("Sigmoid", "s", "x").node("Mul", "y", "x", "s"));
    assertBecomes(List.of("Silu"), start().node("Sigmoid", "s", "x").node("Mul", "y", "s", "x"));
  }

  @Test
  void theFactorOneThatExportersWriteIsSeenThrough() {
    assertBecomes(
        List.of("Silu"),
        start()
            .node("Mul", "once", "x", "one")
            .node("Sigmoid", "s", "once")
            .node("Mul", "y", "x", "s"));
  }

  @Test
  void anotherFactorOrAnotherValueIsLeftAlone() {
    assertBecomes(
        List.of("Mul", "Sigmoid", "Mul"),
        start()
            .node("Mul", "twice", "x", "two")
            .node("Sigmoid", "s", "twice")
            .node("Mul", "y", "x", "s"));
    assertBecomes(
        List.of("Tanh", "Sigmoid", "Mul"),
        start().node("Tanh", "t", "x").node("Sigmoid", "s", "x").node("Mul", "y", "t", "s"));
  }

  @Test
  void aConvolutionAppliesItItself() {
    Graph graph =
        new GraphBuilder(11)
            .input("x", DType.F32, 1, 3, 5, 5)
            .constant("w", random(2, 4, 3, 3, 3))
            .node("Conv", "c", "x", "w")
            .node("Sigmoid", "s", "c")
            .node("Mul", "y", "c", "s")
            .output("y")
            .build();
    Graph passed = Passes.standard(graph);
    assertEquals(1, passed.nodes().size());
    assertSameValues(graph, passed, Map.of("x", random(3, 1, 3, 5, 5)), 1e-5f);
  }
}
