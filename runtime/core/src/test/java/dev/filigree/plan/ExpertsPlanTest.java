package dev.filigree.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.spi.KernelSets;
import dev.filigree.spi.Panels;
import dev.filigree.testing.ExpertsGraph;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Planned mixtures of experts give what all experts give, and compute those that were chosen. */
final class ExpertsPlanTest {
  private static GraphRunner runner(Graph graph, int threads) {
    SessionOptions options = SessionOptions.defaults().withThreads(threads);
    return new GraphRunner(graph, options, KernelSets.open(KernelSets.SCALAR), "test");
  }

  private static float[] run(Graph graph, int threads, Map<String, Tensor> inputs) {
    try (GraphRunner runner = runner(graph, threads)) {
      return runner.run(inputs).get("y").toFloats();
    }
  }

  private static List<LayerPlan> layers(Graph graph, Map<String, Tensor> inputs) {
    try (GraphRunner runner = runner(graph, 1)) {
      return runner.layers(Map.of("x", inputs.get("x").shape(), "r", inputs.get("r").shape()));
    }
  }

  @Seeded(60)
  void mixturesGiveWhatTheInterpreterGivesForAllExperts(Samples samples) {
    ExpertsGraph form =
        ExpertsGraph.of(samples, samples.oneOf(List.of(ExpertsGraph.Kind.values())));
    Graph graph = Passes.standard(form.graph(samples, e -> false));
    int tokens = samples.chance(0.3) ? 1 : samples.between(2, 200);
    Map<String, Tensor> inputs = form.inputs(samples, tokens, e -> false);
    float[] expected = new Interpreter(graph).run(inputs).get("y").toFloats();
    float[] actual = run(graph, 1, inputs);
    Floats.assertClose(expected, actual, 8 * (form.hidden() + form.wide()));
    Floats.assertSameBits(actual, run(graph, 3, inputs));
    Graph fused = Passes.onChosenExperts(graph);
    Floats.assertClose(
        expected,
        new Interpreter(fused).run(inputs).get("y").toFloats(),
        8 * (form.hidden() + form.wide()));
    List<LayerPlan> layers = layers(graph, inputs);
    int ofExpert = form.kind() == ExpertsGraph.Kind.GATED ? 3 : 2;
    assertEquals(1, count(layers, Experts.TYPE), layers::toString);
    assertEquals(ofExpert * form.experts(), count(layers, "Linear"), layers::toString);
  }

  private static long count(List<LayerPlan> layers, String operator) {
    return layers.stream().filter(layer -> layer.operator().equals(operator)).count();
  }

  /** What an expert makes that is no number would stay so times 0. */
  @Seeded(30)
  void expertsThatNobodyChoseReachNoToken(Samples samples) {
    ExpertsGraph form =
        ExpertsGraph.of(samples, samples.oneOf(List.of(ExpertsGraph.Kind.values())));
    int left = form.experts() - samples.between(1, form.experts() - 1);
    ExpertsGraph some =
        new ExpertsGraph(
            form.kind(), form.experts(), Math.min(form.chosen(), left), form.hidden(), form.wide());
    int tokens = samples.chance(0.5) ? 1 : samples.between(2, 100);
    Graph graph = Passes.standard(some.graph(samples, e -> e >= left));
    float[] y = run(graph, 2, some.inputs(samples, tokens, e -> e >= left));
    for (float value : y) {
      assertTrue(Float.isFinite(value), () -> "value " + value);
    }
  }

  /** A token that chose a broken expert shows it, and its neighbours in a panel do not. */
  @Seeded(10)
  void anExpertReachesOnlyTheTokensThatChoseIt(Samples samples) {
    ExpertsGraph form = new ExpertsGraph(ExpertsGraph.Kind.GATED, 4, 1, 16, 24);
    Graph graph = Passes.standard(form.graph(samples, e -> e == 2));
    Map<String, Tensor> inputs = form.inputs(samples, 50, e -> false);
    float[] scores = inputs.get("r").toFloats();
    float[] y = run(graph, 2, inputs);
    for (int token = 0; token < 50; token++) {
      int best = 0;
      for (int e = 1; e < 4; e++) {
        best = scores[token * 4 + e] > scores[token * 4 + best] ? e : best;
      }
      assertEquals(best == 2, Float.isNaN(y[token * 16]), "token " + token);
    }
  }

  /** As Mixtral was exported with ONNX Runtime's operator. */
  @Seeded(10)
  void aThirdMatrixIsMultipliedByTheGateOfTheFirst(Samples samples) {
    ExpertsGraph form = ExpertsGraph.of(samples, ExpertsGraph.Kind.GATED);
    Graph apart = form.graph(samples, e -> false);
    GraphBuilder builder =
        new GraphBuilder(17)
            .input("x", DType.F32, "tokens", form.hidden())
            .input("r", DType.F32, "tokens", form.experts())
            .output("y");
    Map<String, String> names = Map.of("fc1", "gate", "fc2", "down", "fc3", "up");
    names.forEach((own, layer) -> builder.constant(own, stacked(apart, layer, form.experts())));
    Map<String, Attribute> attributes =
        Map.of(
            "k", new Attribute.Int(form.chosen()),
            "normalize_routing_weights", new Attribute.Int(1),
            "activation_type", new Attribute.Text("silu"));
    List<String> reads = List.of("x", "r", "fc1", "", "fc2", "", "fc3");
    builder.add(new Node("moe", "com.microsoft", "MoE", reads, List.of("y"), attributes));
    Map<String, Tensor> inputs = form.inputs(samples, samples.between(1, 20), e -> false);
    Graph joined = Passes.standard(builder.build());
    Floats.assertClose(
        new Interpreter(apart).run(inputs).get("y").toFloats(),
        run(joined, 1, inputs),
        8 * (form.hidden() + form.wide()));
    assertEquals(1, count(layers(joined, inputs), Experts.TYPE));
  }

  /** A layer's weights of all experts, {@code [experts, out, in]}. */
  private static Tensor stacked(Graph graph, String layer, int experts) {
    Shape shape = graph.constants().get("experts.0." + layer + ".weight").toTensor().shape();
    int in = (int) shape.extent(0);
    int out = (int) shape.extent(1);
    float[] values = new float[experts * out * in];
    for (int e = 0; e < experts; e++) {
      Tensor own = graph.constants().get("experts." + e + "." + layer + ".weight").toTensor();
      for (int i = 0; i < out * in; i++) {
        values[e * out * in + i] = (float) own.getDouble((long) i % in * out + i / in);
      }
    }
    return Tensor.of(values, experts, out, in);
  }

  @Test
  void aLayerWhoseValueIsAskedForStaysALayer() {
    Samples samples = new Samples(1);
    ExpertsGraph form = new ExpertsGraph(ExpertsGraph.Kind.GATED, 3, 1, 8, 8);
    Graph graph = form.graph(samples, e -> false);
    List<ValueInfo> outputs = new ArrayList<>(graph.outputs());
    outputs.add(new ValueInfo("experts.1.down", DType.F32, null));
    Graph asked =
        Passes.standard(
            new Graph(
                graph.name(),
                graph.opset(),
                graph.inputs(),
                outputs,
                graph.nodes(),
                graph.constants()));
    assertFalse(
        Passes.onChosenExperts(asked).nodes().stream()
            .anyMatch(node -> node.isFused(Experts.TYPE)));
  }

  /** Experts whose gate is one number for each token are no such experts. */
  @Test
  void aGateOfOneNumberStaysAProduct() {
    Samples samples = new Samples(6);
    ExpertsGraph form = new ExpertsGraph(ExpertsGraph.Kind.GATED, 3, 1, 8, 12);
    Graph graph = form.graph(samples, e -> false);
    Map<String, Constant> constants = new HashMap<>(graph.constants());
    for (int e = 0; e < 3; e++) {
      constants.put(
          "experts." + e + ".up.weight", new Constant.Plain(Tensor.of(samples.normal(8), 8, 1)));
    }
    Graph narrow = graph.with(graph.nodes(), constants);
    Map<String, Tensor> inputs = form.inputs(samples, 9, e -> false);
    Graph passed = Passes.standard(narrow);
    assertEquals(0, count(layers(passed, inputs), Experts.TYPE));
    Floats.assertClose(
        new Interpreter(narrow).run(inputs).get("y").toFloats(), run(passed, 1, inputs), 200);
  }

  /** A decoder's cache grows with every token, its experts stay what they are. */
  @Test
  void plansForOtherShapesTakeAMixtureOver() {
    Samples samples = new Samples(4);
    ExpertsGraph form = new ExpertsGraph(ExpertsGraph.Kind.PAIRS, 5, 2, 16, 24);
    Graph alone = form.graph(samples, e -> false);
    List<ValueInfo> given = new ArrayList<>(alone.inputs());
    given.add(new ValueInfo("z", DType.F32, List.of(Dim.symbol("grows"))));
    List<ValueInfo> made = new ArrayList<>(alone.outputs());
    made.add(new ValueInfo("minus", DType.F32, null));
    List<Node> nodes = new ArrayList<>(alone.nodes());
    nodes.add(GraphBuilder.node("Neg", Map.of(), List.of("z"), List.of("minus")));
    Graph graph =
        new Graph(alone.name(), alone.opset(), given, made, nodes, alone.constants()).sorted();
    for (int tokens : new int[] {1, 30}) {
      Map<String, Tensor> inputs = form.inputs(samples, tokens, e -> false);
      float[] expected = run(Passes.standard(alone), 1, inputs);
      try (GraphRunner runner = runner(Passes.standard(graph), 2)) {
        for (int length = 1; length < 2000; length = 3 * length + 1) {
          float[] z = samples.normal(length);
          inputs.put("z", Tensor.of(z, length));
          Map<String, Tensor> found = runner.run(inputs);
          Floats.assertSameBits(expected, found.get("y").toFloats());
          assertEquals(-z[length - 1], found.get("minus").toFloats()[length - 1]);
        }
      }
    }
  }

  @Test
  void aMixtureIsCalledAfterWhatItsLayersShare() {
    Samples samples = new Samples(1);
    ExpertsGraph form = new ExpertsGraph(ExpertsGraph.Kind.PLAIN, 3, 1, 8, 8);
    Graph graph = Passes.standard(form.graph(samples, e -> false));
    List<LayerPlan> layers = layers(graph, form.inputs(samples, 4, e -> false));
    LayerPlan last = layers.getLast();
    assertEquals("experts", last.name());
    assertTrue(last.reason().contains("of 3 experts"), last.reason());
  }

  /** Only experts with tokens make work, whatever a round has room for. */
  @Seeded(30)
  void roundsHoldTheTokensOfEachExpertAndNoOthers(Samples samples) {
    int tokens = samples.between(1, 90);
    int experts = samples.between(1, 12);
    int width = samples.oneOf(List.of(1, 8, 16));
    int capacity = samples.between(1, 6);
    float[] shares = samples.normal(tokens * experts);
    for (int i = 0; i < shares.length; i++) {
      shares[i] = samples.chance(0.2) ? shares[i] : 0;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate((long) shares.length * Float.BYTES, 64);
      MemorySegment.copy(shares, 0, memory, DType.FLOAT, 0, shares.length);
      Buffer buffer = new Buffer(memory.byteSize(), 0);
      buffer.placeAt(0);
      Slot slot = new Slot(DType.F32, Shape.of(tokens, experts), Layout.ROWS, null, buffer);
      Panels panels = Panels.of(tokens, 8);
      ExpertRounds rounds = new ExpertRounds(slot, panels, 1, experts, width, capacity);
      float[] seen = new float[shares.length];
      rounds.begin(tokens);
      while (rounds.next(memory)) {
        assertTrue(rounds.units() <= capacity);
        for (int unit = 0; unit < rounds.units(); unit++) {
          int expert = rounds.expert(rounds.job(unit));
          int used = 0;
          for (int lane = 0; lane < width; lane++) {
            if (rounds.place(unit, lane) >= 0) {
              int token = (int) (rounds.place(unit, lane) / Float.BYTES);
              seen[token * experts + expert] += rounds.factor(unit, lane);
              used++;
            }
          }
          assertTrue(used > 0, "unit " + unit + " has no token");
        }
      }
      Floats.assertSameBits(shares, seen);
    }
  }
}
