package dev.filigree.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.kernel.Operators;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RepeatedInferenceTest {
  /** A cache that new rows are joined to, and a layer that only sees the new rows. */
  private static Graph graph() {
    return new GraphBuilder(17)
        .input("past", DType.F32, "past", 4)
        .input("x", DType.F32, "new", 4)
        .constant("w", Tensor.of(new float[16], 4, 4))
        .node("MatMul", "made", "x", "w")
        .node("Relu", "positive", "made")
        .node("Concat", Map.of("axis", 0), List.of("all"), "past", "made")
        .node("Shape", "shape", "all")
        .output("all")
        .output("positive")
        .output("shape")
        .build();
  }

  private static Map<String, Shape> shapes(long past, long tokens) {
    return Map.of("past", Shape.of(past, 4), "x", Shape.of(tokens, 4));
  }

  @Test
  void everyTimeTheTypesAreThoseOfAFreshInference() {
    Graph graph = graph();
    RepeatedInference repeated = new RepeatedInference(graph, Operators::find);
    long[][] calls = {{0, 3}, {3, 1}, {4, 1}, {4, 1}, {5, 2}, {0, 3}, {0, 0}};
    for (long[] call : calls) {
      Map<String, Shape> shapes = shapes(call[0], call[1]);
      assertEquals(ShapeInference.infer(graph, shapes, Operators::find), repeated.infer(shapes));
    }
  }

  @Test
  void whatDidNotChangeIsTheSameObject() {
    RepeatedInference repeated = new RepeatedInference(graph(), Operators::find);
    Map<String, ValueType> before = repeated.infer(shapes(3, 1));
    Map<String, ValueType> after = repeated.infer(shapes(4, 1));
    assertSame(before.get("positive"), after.get("positive"));
    assertSame(before.get("x"), after.get("x"));
    assertNotSame(before.get("all"), after.get("all"));
    assertEquals(5, after.get("all").dim(0).value());
  }

  @Test
  void whatDoesNotFitIsRefusedEachTime() {
    RepeatedInference repeated = new RepeatedInference(graph(), Operators::find);
    repeated.infer(shapes(3, 1));
    Map<String, Shape> wrong = Map.of("past", Shape.of(3, 5), "x", Shape.of(1, 4));
    assertThrows(GraphException.class, () -> repeated.infer(wrong));
    assertThrows(GraphException.class, () -> repeated.infer(wrong));
    assertEquals(4, repeated.infer(shapes(3, 1)).get("all").dim(0).value());
  }
}
