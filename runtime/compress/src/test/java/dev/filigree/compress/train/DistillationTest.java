package dev.filigree.compress.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.InputException;
import dev.filigree.Progress;
import dev.filigree.Tensor;
import dev.filigree.compress.Structure;
import dev.filigree.graph.Graph;
import dev.filigree.kernel.Activation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DistillationTest {
  private static final Distillation.Options OPTIONS =
      new Distillation.Options(20, 5e-3, 20, 2e-3, 1, 64, 3);

  private final Graph graph = Nets.transformer(new Random(1), Activation.GELU).graph();

  @Test
  void aPrunedNetworkComesCloserToTheDenseOneAndKeepsItsMask() {
    List<Parameter> pruned = pruned();
    List<boolean[]> zeros = pruned.stream().map(DistillationTest::zeros).toList();
    Distillation.Result result =
        new Distillation(graph, pruned, batches(), OPTIONS, Progress.NONE).run(2);
    assertEquals(2, result.blocks().size(), "normalisation, and the block");
    double[] block = result.blocks().getLast();
    assertTrue(block[1] < 0.6 * block[0], block[0] + " to " + block[1]);
    assertTrue(result.model()[1] < 0.9 * result.model()[0], "end to end");
    for (int i = 0; i < pruned.size(); i++) {
      if (pruned.get(i).mask() != null) {
        assertArrayEquals(zeros.get(i), zeros(pruned.get(i)), pruned.get(i).constant());
      }
    }
  }

  @Test
  void theSameSeedGivesTheSameWeightsOnAnyNumberOfThreads() {
    assertArrayEquals(trained(1), trained(3));
  }

  @Test
  void optionsThatDoNothingAreRefused() {
    assertThrows(InputException.class, () -> new Distillation.Options(0, 1e-3, 0, 1e-3, 1, 64, 0));
    assertThrows(InputException.class, () -> new Distillation.Options(1, 0, 0, 1e-3, 1, 64, 0));
  }

  @Test
  void aRateThatDivergesIsReported() {
    Distillation.Options wild = new Distillation.Options(3, 1e30, 0, 1, 1, 64, 0);
    InputException refused =
        assertThrows(
            InputException.class,
            () -> new Distillation(graph, pruned(), batches(), wild, Progress.NONE).run(1));
    assertTrue(refused.remedy().contains("lower rate"), refused.getMessage());
  }

  private float[] trained(int threads) {
    List<Parameter> pruned = pruned();
    Distillation.Options brief = new Distillation.Options(1, 1e-3, 1, 1e-3, 1, 64, 3);
    new Distillation(graph, pruned, batches(), brief, Progress.NONE).run(threads);
    return pruned.getLast().values();
  }

  private List<Parameter> pruned() {
    List<Parameter> parameters = new ArrayList<>();
    graph
        .constants()
        .forEach(
            (name, constant) -> {
              Parameter parameter = Network.of(name, constant);
              if (name.endsWith(".w")) {
                float[] scores = parameter.values().clone();
                for (int i = 0; i < scores.length; i++) {
                  scores[i] = Math.abs(scores[i]);
                }
                parameter.prune(
                    Structure.TWO_OF_FOUR.choose(scores, parameter.rows(), parameter.columns()));
              }
              parameters.add(parameter);
            });
    return parameters;
  }

  private static boolean[] zeros(Parameter parameter) {
    boolean[] zeros = new boolean[parameter.values().length];
    for (int i = 0; i < zeros.length; i++) {
      zeros[i] = parameter.values()[i] == 0;
    }
    return zeros;
  }

  private List<Map<String, Tensor>> batches() {
    Random random = new Random(5);
    Nets net = Nets.transformer(random, Activation.GELU);
    List<Map<String, Tensor>> batches = new ArrayList<>();
    for (int tokens = 3; tokens < 8; tokens++) {
      batches.add(Map.of("x", net.random(random, 30, tokens, 8)));
    }
    return batches;
  }
}
