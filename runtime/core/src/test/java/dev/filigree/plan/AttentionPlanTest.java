package dev.filigree.plan;

import static dev.filigree.plan.Planned.assertAgrees;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.testing.RotaryGraph;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.List;
import java.util.Map;

/** Planned attention gives what the interpreter gives for the graph as it was read. */
final class AttentionPlanTest {
  @Seeded(30)
  void rotaryAttentionAgrees(Samples samples) {
    int keyHeads = samples.between(1, 3);
    int width = 2 * samples.between(1, 8);
    RotaryGraph form =
        new RotaryGraph(
            keyHeads * samples.between(1, 3),
            keyHeads,
            width,
            samples.chance(0.5) ? width : 2 * samples.between(1, width / 2),
            samples.chance(0.3),
            samples.chance(0.5));
    List<LayerPlan> layers =
        assertAgrees(
            form.graph(),
            form.inputs(samples, samples.between(1, 3), samples.between(1, 70)),
            8 * width);
    assertTrue(
        layers.stream().noneMatch(layer -> layer.kernel().equals("reference")), layers::toString);
  }

  @Seeded(10)
  void partsOfFeaturesAgree(Samples samples) {
    int features = samples.between(3, 40);
    int start = samples.between(0, features - 2);
    int end = samples.between(start + 1, features);
    Graph graph =
        new GraphBuilder(17)
            .input("x", DType.F32, "batch", "seq", features)
            .constant("w", Planned.normal(samples, features, features))
            .longs("start", start)
            .longs("end", end)
            .longs("axis", -1)
            .longs("sizes", start, end - start, features - end)
            .longs("two", end - start, features - end + start)
            .node("MatMul", "made", "x", "w")
            .node("Slice", "sliced", "made", "start", "end", "axis")
            .node("Split", Map.of("axis", 2), List.of("a", "b", "c"), "made", "sizes")
            .node("Split", Map.of("axis", 2), List.of("d", ""), "made", "two")
            .node("Neg", "minus", "d")
            .node("Add", "twice", "sliced", "b")
            .node("Add", "y", "twice", "minus")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(
            graph,
            Map.of("x", Planned.normal(samples, 2, samples.between(1, 70), features)),
            4 * features);
    // the one with outputs that nobody names, and the change of its sign
    assertEquals(
        2,
        layers.stream().filter(layer -> layer.kernel().equals("reference")).count(),
        layers::toString);
  }
}
