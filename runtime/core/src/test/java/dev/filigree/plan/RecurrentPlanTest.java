package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.kernel.Interpreter;
import dev.filigree.spi.KernelSets;
import dev.filigree.testing.Floats;
import dev.filigree.testing.RecurrentGraph;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Planned recurrent layers give what the reference operators give, by any number of threads. */
final class RecurrentPlanTest {
  private static GraphRunner open(Graph graph, int threads) {
    SessionOptions options = SessionOptions.defaults().withThreads(threads);
    return new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test");
  }

  private static List<LayerPlan> layers(GraphRunner runner, Map<String, Tensor> inputs) {
    Map<String, Shape> shapes = new HashMap<>();
    inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return runner.layers(shapes);
  }

  /** The explanation of the recurrent layer. */
  private static LayerPlan layer(Graph graph, Map<String, Tensor> inputs) {
    try (GraphRunner runner = open(graph, 1)) {
      return layers(runner, inputs).getLast();
    }
  }

  @Seeded(150)
  void layersOfEveryFormAreTheReferences(Samples samples) {
    RecurrentGraph form = RecurrentGraph.any(samples);
    Graph graph = form.graph(samples);
    Interpreter reference = new Interpreter(graph);
    try (GraphRunner one = open(graph, 1);
        GraphRunner three = open(graph, 3)) {
      for (int run = 0; run < 3; run++) {
        int batch = run == 0 ? 1 : samples.between(1, 11);
        Map<String, Tensor> inputs = form.inputs(samples, samples.between(1, 12), batch);
        Map<String, Tensor> expected = reference.run(inputs);
        Map<String, Tensor> actual = one.run(inputs);
        Map<String, Tensor> divided = three.run(inputs);
        for (String output : form.outputs()) {
          float[] values = actual.get(output).toFloats();
          assertEquals(expected.get(output).shape(), actual.get(output).shape(), output);
          Floats.assertClose(
              expected.get(output).toFloats(), values, 4 * (form.input() + form.hidden()));
          assertArrayEquals(values, divided.get(output).toFloats(), output);
        }
        List<LayerPlan> layers = layers(one, inputs);
        assertTrue(
            layers.stream().noneMatch(layer -> layer.kernel().equals("reference")),
            layers::toString);
      }
    }
  }

  @Test
  void stepsThatAreWorthItAreDividedByUnits() {
    for (String type : List.of("RNN", "GRU", "LSTM")) {
      Samples samples = new Samples(7);
      RecurrentGraph form =
          new RecurrentGraph(
              type, Map.of("linear_before_reset", 0), 24, 380, List.of(3), List.of(0, 1));
      Graph graph = form.graph(samples);
      Map<String, Tensor> inputs = form.inputs(samples, 3, 2);
      float[] expected = new Interpreter(graph).run(inputs).get("y").toFloats();
      float[] alone = null;
      for (int threads = 1; threads <= 4; threads++) {
        try (GraphRunner runner = open(graph, threads)) {
          float[] actual = runner.run(inputs).get("y").toFloats();
          alone = alone == null ? actual : alone;
          assertArrayEquals(alone, actual, type + " by " + threads + " threads");
        }
      }
      Floats.assertClose(expected, alone, 400);
    }
  }

  @Test
  void activationsWithoutAKernelStayWithTheReferenceAndAreNamed() {
    RecurrentGraph form =
        new RecurrentGraph(
            "LSTM",
            Map.of("activations", new Attribute.Texts(List.of("HardSigmoid", "Tanh", "Tanh"))),
            5,
            9,
            List.of(3),
            List.of(0));
    Graph graph = form.graph(new Samples(1));
    Map<String, Tensor> inputs = form.inputs(new Samples(2), 4, 3);
    LayerPlan layer = layer(graph, inputs);
    assertEquals("reference", layer.kernel());
    assertEquals("no faster kernel for the activations HARDSIGMOID, TANH, TANH", layer.reason());
    Planned.assertAgrees(graph, inputs, 1);
  }

  @Test
  void rectifiedUnitsHaveAKernel() {
    RecurrentGraph form =
        new RecurrentGraph(
            "RNN",
            Map.of(
                "direction",
                "bidirectional",
                "activations",
                new Attribute.Texts(List.of("Relu", "Tanh"))),
            5,
            19,
            List.of(3),
            List.of(0));
    Graph graph = form.graph(new Samples(1));
    Map<String, Tensor> inputs = form.inputs(new Samples(2), 4, 3);
    assertEquals("scalar", layer(graph, inputs).kernel());
    Planned.assertAgrees(graph, inputs, 100);
  }

  @Test
  void weightsThatARunMakesStayWithTheReferenceAndAreNamed() {
    Samples samples = new Samples(1);
    Graph graph =
        new GraphBuilder(14)
            .input("x", DType.F32, "steps", "batch", 4)
            .input("w", DType.F32, 1, 5, 4)
            .constant("r", Planned.normal(samples, 1, 5, 5))
            .node("RNN", Map.of("hidden_size", 5), List.of("y"), "x", "w", "r")
            .output("y")
            .build();
    Map<String, Tensor> inputs =
        Map.of("x", Planned.normal(samples, 3, 2, 4), "w", Planned.normal(samples, 1, 5, 4));
    assertEquals("'w' is computed while it runs", layer(graph, inputs).reason());
    Planned.assertAgrees(graph, inputs, 1);
  }

  @Test
  void aLengthThatIsNoneIsRefused() {
    RecurrentGraph form = new RecurrentGraph("GRU", Map.of(), 3, 4, List.of(4), List.of(0));
    Graph graph = form.graph(new Samples(1));
    Map<String, Tensor> inputs = new HashMap<>(form.inputs(new Samples(2), 4, 2));
    try (GraphRunner runner = open(graph, 2)) {
      for (int wrong : new int[] {-1, 5}) {
        inputs.put("lengths", Tensor.of(new int[] {2, wrong}, 2));
        FiligreeException thrown = assertThrows(FiligreeException.class, () -> runner.run(inputs));
        assertTrue(thrown.getMessage().contains("runs " + wrong + " of 4"), thrown::getMessage);
      }
    }
  }
}
