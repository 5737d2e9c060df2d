package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.fused.Experts;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.plan.GraphRunner;
import dev.filigree.testing.ExpertsGraph;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Mixtures of experts by the vector kernels, whose layers have weights of every form. */
final class ExpertsTest {
  private static final int HIDDEN = 68;
  private static final int WIDE = 96;

  /** A mixture with the next form of weights for each of its layers. */
  private static Graph mixture(ExpertsGraph form) {
    Graph graph = Passes.standard(form.graph(new Samples(3), e -> false));
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    int layer = 0;
    for (Node node : graph.nodes()) {
      if (node.isFused(Linear.TYPE)) {
        String name = node.inputs().get(Linear.WEIGHTS);
        Tensor old = constants.get(name).toTensor();
        List<Weights> forms =
            new ArrayList<>(
                SampleWeights.all(
                        (int) old.shape().extent(0), (int) old.shape().extent(1), Legs.random(name))
                    .values());
        constants.put(name, new Constant.Compressed(forms.get(layer++ % forms.size()), false));
      }
    }
    return graph.with(graph.nodes(), constants);
  }

  private static float[] run(Graph graph, int threads, Map<String, Tensor> inputs) {
    SessionOptions options = SessionOptions.defaults().withThreads(threads);
    try (GraphRunner runner = new GraphRunner(graph, options, Legs.vector(), "experts")) {
      return runner.run(inputs).get("y").toFloats();
    }
  }

  @Test
  void weightsOfEveryFormGiveWhatTheInterpreterGivesForAllExperts() {
    for (ExpertsGraph.Kind kind : ExpertsGraph.Kind.values()) {
      ExpertsGraph form = new ExpertsGraph(kind, 16, 3, HIDDEN, WIDE);
      Graph graph = mixture(form);
      assertTrue(
          Passes.onChosenExperts(graph).nodes().stream()
              .anyMatch(node -> node.isFused(Experts.TYPE)));
      for (int tokens : Legs.tokens()) {
        Map<String, Tensor> inputs = form.inputs(new Samples(tokens), tokens, e -> e % 5 == 1);
        float[] expected = new Interpreter(graph).run(inputs).get("y").toFloats();
        float[] actual = run(graph, 1, inputs);
        Floats.assertClose(expected, actual, 8 * (HIDDEN + WIDE));
        assertArrayEquals(actual, run(graph, 3, inputs), kind + " of " + tokens + " tokens");
      }
    }
  }
}
