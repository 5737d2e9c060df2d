package dev.filigree.plan;

import static dev.filigree.plan.Planned.assertAgrees;
import static dev.filigree.plan.Planned.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.pass.Passes;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Convolutions by tiles of 4 x 4 pixels give what the interpreter gives. */
final class WinogradPlanTest {
  private static final String WINOGRAD = "winograd";

  /** As many as make the transforms worth their time. */
  private static final int CHANNELS = 96;

  private static Graph graph(
      Tensor weights, Tensor bias, List<Integer> pads, boolean residual, int... shape) {
    int outputs = (int) weights.shape().extent(0);
    int height = shape[2] + pads.get(0) + pads.get(2) - 2;
    int width = shape[3] + pads.get(1) + pads.get(3) - 2;
    GraphBuilder builder =
        new GraphBuilder(13)
            .input("x", DType.F32, shape[0], shape[1], shape[2], shape[3])
            .constant("w", weights)
            .constant("b", bias)
            .node("Conv", Map.of("pads", pads), List.of("c"), "x", "w", "b");
    if (residual) {
      builder
          .input("r", DType.F32, shape[0], outputs, height, width)
          .node("Add", "s", "r", "c")
          .node("Relu", "y", "s");
    } else {
      builder.node("Relu", "y", "c");
    }
    return builder.output("y").build();
  }

  @Seeded(12)
  void tilesOfAnyImageAgree(Samples samples) {
    int batch = samples.between(1, 2);
    int channels = samples.between(90, 130);
    int outputs = samples.between(90, 150);
    int height = samples.between(24, 32);
    int width = samples.between(24, 32);
    List<Integer> pads =
        List.of(
            samples.between(0, 2),
            samples.between(0, 2),
            samples.between(0, 2),
            samples.between(0, 2));
    boolean residual = samples.chance(0.5);
    Tensor weights = normal(samples, outputs, channels, 3, 3);
    Graph graph =
        graph(weights, normal(samples, outputs), pads, residual, batch, channels, height, width);
    int down = height + pads.get(0) + pads.get(2) - 2;
    int across = width + pads.get(1) + pads.get(3) - 2;
    Tensor x = normal(samples, batch, channels, height, width);
    Map<String, Tensor> inputs =
        residual
            ? Map.of("x", x, "r", normal(samples, batch, outputs, down, across))
            : Map.of("x", x);
    List<LayerPlan> layers = assertAgrees(graph, inputs, 40 * channels);
    assertEquals(WINOGRAD, layers.getLast().kernel(), layers::toString);
  }

  @Seeded(12)
  void threadsDoNotChangeABit(Samples samples) {
    int outputs = samples.between(90, 300);
    // of small images, which run directly, threads share outputs
    int side = samples.chance(0.5) ? samples.between(2, 8) : samples.between(24, 32);
    Graph graph =
        Passes.standard(
            graph(
                normal(samples, outputs, CHANNELS, 3, 3),
                normal(samples, outputs),
                List.of(1, 1, 1, 1),
                false,
                1,
                CHANNELS,
                side,
                side));
    Map<String, Tensor> inputs = Map.of("x", normal(samples, 1, CHANNELS, side, side));
    List<float[]> results = new ArrayList<>();
    for (int threads = 1; threads <= 3; threads++) {
      SessionOptions options = SessionOptions.defaults().withThreads(threads);
      try (GraphRunner runner =
          new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test")) {
        results.add(runner.run(inputs).get("y").toFloats());
      }
    }
    assertArrayEquals(results.get(0), results.get(1));
    assertArrayEquals(results.get(0), results.get(2));
  }

  @Seeded(4)
  void sumsOfWholeNumbersStayExact(Samples samples) {
    Tensor weights = normal(samples, CHANNELS, CHANNELS, 3, 3);
    for (int i = 0; i < weights.elements(); i++) {
      weights.setDouble(i, Math.rint(100 * weights.getDouble(i)));
    }
    Tensor x = normal(samples, 1, CHANNELS, 28, 28);
    for (int i = 0; i < x.elements(); i++) {
      x.setDouble(i, Math.rint(100 * x.getDouble(i)));
    }
    Graph graph =
        graph(weights, normal(samples, CHANNELS), List.of(1, 1, 1, 1), false, 1, CHANNELS, 28, 28);
    List<LayerPlan> layers = assertAgrees(graph, Map.of("x", x), 1);
    assertTrue(layers.stream().noneMatch(layer -> layer.kernel().equals(WINOGRAD)));
  }

  @Test
  void windowsOfOtherFormsRunDirectly() {
    Samples samples = new Samples(7);
    for (Map<String, Object> attributes :
        List.of(
            Map.<String, Object>of("strides", List.of(2, 2)),
            Map.<String, Object>of("dilations", List.of(2, 2)),
            Map.<String, Object>of("group", 2))) {
      int inputs = attributes.containsKey("group") ? CHANNELS / 2 : CHANNELS;
      Graph graph =
          new GraphBuilder(13)
              .input("x", DType.F32, 1, CHANNELS, 28, 28)
              .constant("w", normal(samples, CHANNELS, inputs, 3, 3))
              .node("Conv", attributes, List.of("y"), "x", "w")
              .output("y")
              .build();
      List<LayerPlan> layers =
          assertAgrees(graph, Map.of("x", normal(samples, 1, CHANNELS, 28, 28)), 9 * CHANNELS);
      assertTrue(layers.stream().noneMatch(layer -> layer.kernel().equals(WINOGRAD)));
    }
  }
}
