package dev.filigree.plan;

import static dev.filigree.plan.Planned.assertAgrees;
import static dev.filigree.plan.Planned.normal;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.List;
import java.util.Map;

/** Graphs whose shapes follow from data. */
final class SplitRunnerTest {
  /** Leaves the rows of a matrix whose first number is above 0, as detectors leave boxes out. */
  private static GraphBuilder chosen(GraphBuilder builder, String from, String to) {
    return builder
        .node("Gather", Map.of("axis", 1), List.of(to + "_first"), from, "first")
        .node("Greater", to + "_above", to + "_first", "none")
        .node("NonZero", to + "_places", to + "_above")
        .node("Squeeze", to + "_rows", to + "_places", "axes")
        .node("Gather", to, from, to + "_rows");
  }

  @Seeded(10)
  void layersBehindSeveralChoicesOfDataArePlanned(Samples samples) {
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("x", DType.F32, "n", 8)
            .scalar("none", 0)
            .constant("first", Tensor.of(new long[] {0}))
            .longs("axes", 0)
            .constant("w", normal(samples, 8, 5));
    chosen(builder, "x", "some");
    builder.node("Sub", "moved", "some", "half").scalar("half", 0.5);
    Graph graph =
        chosen(builder, "moved", "few").node("MatMul", "y", "few", "w").output("y").build();
    List<LayerPlan> layers =
        assertAgrees(graph, Map.of("x", normal(samples, samples.between(1, 60), 8)), 16);
    LayerPlan last = layers.getLast();
    assertEquals(Linear.TYPE, last.operator());
    assertEquals("planned in each run, when the shapes before it are known", last.reason());
  }
}
