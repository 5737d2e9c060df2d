package dev.filigree.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.pass.Passes;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Graphs within nodes: what they take from around them, and what they give back. */
final class ControlFlowTest {
  /** A body that takes one value from around it and applies one operator to it twice. */
  private static Attribute body(String operator) {
    Node node = GraphBuilder.node(operator, Map.of(), List.of("x", "x"), List.of("made"));
    return new Attribute.Body(
        new Graph(
                "body",
                16,
                List.of(new ValueInfo("x", null, null)),
                List.of(new ValueInfo("made", DType.F32, null)),
                List.of(node),
                Map.of())
            .sorted(),
        1);
  }

  private static Graph choosing(DType condition) {
    Node choice =
        new Node(
            "choice",
            Node.ONNX,
            "If",
            List.of("c", "x"),
            List.of("y"),
            Map.of("then_branch", body("Add"), "else_branch", body("Mul")));
    return new Graph(
            "test",
            16,
            List.of(
                new ValueInfo("c", condition, List.of()),
                new ValueInfo("x", DType.F32, List.of(Dim.of(2)))),
            List.of(new ValueInfo("y", DType.F32, null)),
            List.of(choice),
            Map.of())
        .sorted();
  }

  private static Tensor bool(boolean value) {
    Tensor tensor = Tensor.zeros(DType.BOOL, Shape.SCALAR);
    tensor.setLong(0, value ? 1 : 0);
    return tensor;
  }

  @Test
  void aBranchReadsValuesFromAroundIt() {
    Graph graph = Passes.standard(choosing(DType.BOOL));
    for (boolean condition : new boolean[] {true, false}) {
      Tensor x = Tensor.of(new float[] {3, -5}, 2);
      Tensor y = new Interpreter(graph).run(Map.of("c", bool(condition), "x", x)).get("y");
      assertArrayEquals(condition ? new float[] {6, -10} : new float[] {9, 25}, y.toFloats(), 0);
    }
  }

  @Test
  void aConditionThatIsNoBoolIsRefusedByName() {
    Graph graph = choosing(DType.F32);
    Map<String, Tensor> inputs =
        Map.of("c", Tensor.of(new float[] {1}), "x", Tensor.of(new float[] {3, -5}, 2));
    GraphException refused =
        assertThrows(GraphException.class, () -> new Interpreter(graph).run(inputs));
    assertTrue(refused.getMessage().contains("'choice' (If)"), refused.getMessage());
  }

  @Test
  void anUnknownOperatorInABranchIsRefusedWhenTheModelIsOpened() {
    Graph graph = choosing(DType.BOOL);
    Node node = graph.nodes().getFirst();
    Node changed =
        new Node(
            node.name(),
            node.domain(),
            node.type(),
            node.inputs(),
            node.outputs(),
            Map.of("then_branch", body("Add"), "else_branch", body("StringSplit")));
    UnsupportedException refused =
        assertThrows(
            UnsupportedException.class,
            () -> Passes.standard(graph.with(List.of(changed), Map.of())));
    assertTrue(refused.getMessage().contains("StringSplit"), refused.getMessage());
    assertTrue(refused.getMessage().contains("Split"), "the nearest one: " + refused.getMessage());
  }

  @Test
  void aLoopPassesValuesOnAndStacksTheRest() {
    Node sum = GraphBuilder.node("Add", Map.of(), List.of("v", "x"), List.of("w"));
    Node copy = GraphBuilder.node("Identity", Map.of(), List.of("w"), List.of("seen"));
    Graph body =
        new Graph(
                "body",
                16,
                List.of(
                    new ValueInfo("i", DType.I64, List.of()),
                    new ValueInfo("go", DType.BOOL, List.of()),
                    new ValueInfo("v", DType.F32, List.of(Dim.of(1))),
                    new ValueInfo("x", null, null)),
                List.of(
                    new ValueInfo("go", DType.BOOL, null),
                    new ValueInfo("w", DType.F32, null),
                    new ValueInfo("seen", DType.F32, List.of(Dim.of(1)))),
                List.of(sum, copy),
                Map.of())
            .sorted();
    Node loop =
        new Node(
            "loop",
            Node.ONNX,
            "Loop",
            List.of("most", "", "start", "x"),
            List.of("last", "all"),
            Map.of("body", new Attribute.Body(body, 1)));
    Tensor x = Tensor.of(new float[] {2}, 1);
    for (int runs : new int[] {0, 1, 4}) {
      Tensor[] made =
          Interpreter.run(
              loop,
              16,
              new Tensor[] {Tensor.of(new long[] {runs}), null, Tensor.of(new float[] {1}, 1), x});
      assertEquals(1 + 2 * runs, made[0].getDouble(0));
      assertEquals(Shape.of(runs, 1), made[1].shape());
      for (int i = 0; i < runs; i++) {
        assertEquals(3 + 2 * i, made[1].getDouble(i));
      }
    }
  }
}
