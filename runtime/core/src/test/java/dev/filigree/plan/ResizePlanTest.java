package dev.filigree.plan;

import static dev.filigree.plan.Planned.assertAgrees;
import static dev.filigree.plan.Planned.normal;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Planned resizing gives what the interpreter gives for the graph as it was read. */
final class ResizePlanTest {
  @Seeded(60)
  void anyWayToResizeAgrees(Samples samples) {
    int rank = samples.between(3, 5);
    int resized = samples.between(1, rank - 2);
    long[] sizes = new long[rank];
    int[] extents = new int[rank];
    for (int axis = 0; axis < rank; axis++) {
      extents[axis] = samples.between(1, axis < 2 ? 3 : 9);
      sizes[axis] = axis < rank - resized ? extents[axis] : samples.between(1, 20);
    }
    String mode = samples.oneOf(List.of("nearest", "linear", "cubic"));
    Map<String, Object> attributes = new HashMap<>();
    attributes.put("mode", mode);
    attributes.put(
        "coordinate_transformation_mode",
        samples.oneOf(List.of("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")));
    attributes.put("antialias", mode.equals("nearest") ? 0 : samples.between(0, 1));
    Graph graph =
        new GraphBuilder(19)
            .input("x", DType.F32, Arrays.stream(extents).boxed().toArray())
            .longs("sizes", sizes)
            .node("Resize", attributes, List.of("y"), "x", "", "", "sizes")
            .output("y")
            .build();
    boolean same = Arrays.equals(sizes, Arrays.stream(extents).asLongStream().toArray());
    List<LayerPlan> layers = assertAgrees(graph, Map.of("x", normal(samples, extents)), 4);
    assertTrue(
        same || layers.stream().noneMatch(layer -> layer.kernel().equals("reference")),
        layers::toString);
  }

  @Seeded(40)
  void resizingToTheNearestAgrees(Samples samples) {
    int height = samples.between(1, 9);
    int width = samples.between(1, 9);
    boolean whole = samples.chance(0.7);
    float down = whole ? samples.between(1, 4) : samples.between(10, 39) / 10f;
    float across = whole ? samples.between(1, 4) : samples.between(10, 39) / 10f;
    boolean half = samples.chance(0.5);
    Map<String, Object> attributes =
        half
            ? Map.of("mode", "nearest", "coordinate_transformation_mode", "half_pixel")
            : Map.of(
                "mode",
                "nearest",
                "coordinate_transformation_mode",
                "asymmetric",
                "nearest_mode",
                "floor");
    Graph graph =
        new GraphBuilder(13)
            .input("x", DType.F32, 2, 3, height, width)
            .constant("scales", Tensor.of(new float[] {1, 1, down, across}, 4))
            .node("Resize", attributes, List.of("y"), "x", "", "scales")
            .output("y")
            .build();
    List<LayerPlan> layers =
        assertAgrees(graph, Map.of("x", normal(samples, 2, 3, height, width)), 1);
    assertTrue(!whole || !layers.getFirst().kernel().equals("reference"), layers::toString);
  }
}
