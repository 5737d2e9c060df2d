package dev.filigree.graph.pass;

import static dev.filigree.graph.pass.Check.assertSameValues;
import static dev.filigree.graph.pass.Check.count;
import static dev.filigree.graph.pass.Check.only;
import static dev.filigree.graph.pass.Check.types;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Rotary;
import dev.filigree.testing.RotaryGraph;
import dev.filigree.testing.Samples;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Rotary positions and heads that share keys, up to the fused attention. */
final class FuseRotaryTest {
  private static void assertFuses(RotaryGraph form) {
    Graph graph = form.graph();
    Graph fused = Passes.standard(graph);
    assertEquals(2, count(fused, Rotary.TYPE), () -> form + " " + types(fused));
    Attention.Form attention = Attention.form(only(fused, Attention.TYPE));
    assertEquals(form.heads(), attention.heads());
    assertEquals(form.keyHeads(), attention.keyHeads());
    assertEquals(0, count(fused, "Transpose") + count(fused, "Expand"), () -> types(fused) + "");
    assertSameValues(graph, fused, form.inputs(new Samples(1), 2, 5), 1e-5f);
  }

  @Test
  void headsAreTurnedWhereTheyLieBesideEachOther() {
    for (boolean tokensFirst : new boolean[] {false, true}) {
      for (boolean tablePerText : new boolean[] {false, true}) {
        assertFuses(new RotaryGraph(3, 3, 8, 8, tokensFirst, tablePerText));
        assertFuses(new RotaryGraph(3, 3, 8, 6, tokensFirst, tablePerText));
      }
    }
  }

  @Test
  void headsThatShareKeysAreNotRepeated() {
    assertFuses(new RotaryGraph(4, 2, 8, 8, false, false));
    assertFuses(new RotaryGraph(6, 1, 4, 2, true, true));
  }

  /** Halves of x exchanged, with starts and ends of choice. */
  private static Graph exchange(long split, long end, String minus) {
    return new GraphBuilder(17)
        .input("x", DType.F32, 1, "seq", 2, 8)
        .input("cos", DType.F32, "seq", 1, 8)
        .input("sin", DType.F32, "seq", 1, 8)
        .longs("none", 0)
        .longs("split", split)
        .longs("end", end)
        .longs("axis", 3)
        .node("Slice", "first", "x", "none", "split", "axis")
        .node("Slice", "second", "x", "split", "end", "axis")
        .node("Neg", "minus", minus)
        .node(
            "Concat",
            Map.of("axis", 3),
            List.of("exchanged"),
            "minus",
            minus.equals("second") ? "first" : "second")
        .node("Mul", "straight", "x", "cos")
        .node("Mul", "crossed", "exchanged", "sin")
        .node("Add", "y", "crossed", "straight")
        .output("y")
        .build();
  }

  @Test
  void halvesOfOneLengthAlone() {
    assertEquals(1, count(new FuseRotary().apply(exchange(4, 8, "second")), Rotary.TYPE));
    assertEquals(0, count(new FuseRotary().apply(exchange(3, 8, "second")), Rotary.TYPE));
  }

  @Test
  void halvesInTheirOrderAreNotTurned() {
    assertEquals(0, count(new FuseRotary().apply(exchange(4, 8, "first")), Rotary.TYPE));
  }
}
