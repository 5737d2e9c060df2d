package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.random;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.GraphException;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Removal of dead code and identities, and constants written as nodes. */
final class CleaningPassesTest {
  private static final Map<String, Tensor> INPUT = Map.of("x", random(1, 2, 3));

  private static GraphBuilder start() {
    return new GraphBuilder(13).input("x", DType.F32, "rows", 3).constant("c", random(2, 3));
  }

  @Test
  void nodesAndConstantsNoOutputDependsOnAreDropped() {
    Graph graph =
        start()
            .constant("unused", random(3, 4))
            .node("Neg", "dead", "x")
            .node("Add", "deader", "dead", "unused")
            .node("Add", "y", "x", "c")
            .output("y")
            .build();
    Graph result = new RemoveDeadCode().apply(graph);
    assertEquals(List.of("Add"), types(result));
    assertEquals(Set.of("c"), result.constants().keySet());
    assertSameValues(start().node("Add", "y", "x", "c").output("y").build(), result, INPUT, 0);
  }

  @Test
  void aNodeWithOneLiveOutputIsKept() {
    Graph graph =
        start()
            .node("DynamicQuantizeLinear", Map.of(), List.of("q", "scale", "zero"), "x")
            .output("scale")
            .build();
    assertEquals(List.of("DynamicQuantizeLinear"), types(new RemoveDeadCode().apply(graph)));
  }

  @Test
  void chainsOfIdentitiesAreSkipped() {
    Graph graph =
        start()
            .node("Identity", "a", "x")
            .node("Identity", "b", "a")
            .node("Add", "y", "b", "c")
            .output("y")
            .build();
    Graph result = new RemoveIdentities().apply(graph);
    assertEquals(List.of("Add"), types(result));
    assertEquals(List.of("x", "c"), result.nodes().getFirst().inputs());
    assertSameValues(graph, result, INPUT, 0);
  }

  @Test
  void anIdentityThatIsAnOutputStays() {
    Graph graph = start().node("Identity", "y", "x").output("y").build();
    Graph result = new RemoveIdentities().apply(graph);
    assertEquals(List.of("Identity"), types(result));
    assertSameValues(graph, result, INPUT, 0);
  }

  @Test
  void aDropoutWhoseMaskNobodyReadsIsAnIdentity() {
    Graph inside = start().node("Dropout", "d", "x").node("Neg", "y", "d").output("y").build();
    assertEquals(List.of("Neg"), types(new RemoveIdentities().apply(inside)));
    Graph last = start().node("Dropout", "y", "x").output("y").build();
    Graph result = new RemoveIdentities().apply(last);
    assertEquals(List.of("Identity"), types(result));
    assertSameValues(last, result, INPUT, 0);
  }

  @Test
  void aDropoutWhoseMaskIsReadStays() {
    Graph graph =
        start()
            .node("Dropout", Map.of(), List.of("y", "mask"), "x")
            .output("y")
            .output("mask", DType.BOOL)
            .build();
    Graph result = new RemoveIdentities().apply(graph);
    assertEquals(List.of("Dropout"), types(result));
    assertSameValues(graph, result, INPUT, 0);
  }

  @Test
  void constantNodesBecomeConstants() {
    Graph graph =
        start()
            .node("Constant", Map.of("value", random(5, 3)), List.of("added"))
            .node("Add", "y", "x", "added")
            .output("y")
            .build();
    Graph result = new InlineConstants().apply(graph);
    assertEquals(List.of("Add"), types(result));
    assertArrayEquals(
        random(5, 3).toFloats(), result.constants().get("added").toTensor().toFloats());
    assertSameValues(graph, result, INPUT, 0);
  }

  @Test
  void theStandardPassesNameANodeWithAnUnknownOperator() {
    Graph graph = start().node("Frobnicate", "y", "x").output("y").build();
    UnsupportedException refused =
        assertThrows(UnsupportedException.class, () -> Passes.standard(graph));
    assertTrue(refused.getMessage().contains("'y' (Frobnicate)"), refused.getMessage());
  }

  @Test
  void theStandardPassesNameANodeThatLacksAnInput() {
    for (String type :
        List.of("Identity", "DequantizeLinear", "MatMul", "Gather", "Where", "Reshape", "Mul")) {
      for (List<String> inputs : List.of(List.<String>of(), List.of(""))) {
        Graph graph = start().node(type, "y", inputs.toArray(String[]::new)).output("y").build();
        GraphException refused =
            assertThrows(GraphException.class, () -> Passes.standard(graph), type);
        assertTrue(
            refused.getMessage().contains("'y' (" + type + ") lacks its input 0"),
            refused.getMessage());
      }
    }
  }
}
