package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class SplitCompositesTest {
  private static final Map<String, Tensor> INPUT =
      Map.of("x", Tensor.of(new float[] {1, 1, 1, 2, 2, 2}, 2, 3));

  private static Graph sum(String... inputs) {
    return new GraphBuilder(13)
        .input("x", DType.F32, "rows", 3)
        .constant("a", Tensor.of(new float[] {1, 2, 4}, 3))
        .constant("b", Tensor.of(new float[] {8}, 1))
        .node("Sum", "y", inputs)
        .output("y")
        .build();
  }

  @Test
  void severalTensorsAreAddedInTheirOrder() {
    Graph graph = sum("x", "a", "b");
    Graph split = new SplitComposites().apply(graph);
    assertEquals(List.of("Add", "Add"), types(split));
    assertEquals(List.of("x", "a"), split.nodes().getFirst().inputs());
    assertSameValues(graph, split, INPUT, 0);
  }

  @Test
  void aSumOfOneStays() {
    assertEquals(List.of("Sum"), types(new SplitComposites().apply(sum("x"))));
  }

  @Test
  void aSwishWithAFactorIsASigmoidAndProducts() {
    Graph graph =
        new GraphBuilder(24)
            .input("x", DType.F32, "rows", 3)
            .node("Swish", Map.of("alpha", 1.702f), List.of("y"), "x")
            .output("y")
            .build();
    Graph split = new SplitComposites().apply(graph);
    assertEquals(List.of("Mul", "Sigmoid", "Mul"), types(split));
    assertSameValues(graph, split, INPUT, 1e-6f);
  }
}
