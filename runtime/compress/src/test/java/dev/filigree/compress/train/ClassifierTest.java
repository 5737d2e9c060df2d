package dev.filigree.compress.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.compress.Structure;
import dev.filigree.compress.train.DeepCompression.LayerPlan;
import dev.filigree.graph.Graph;
import dev.filigree.graph.pass.Passes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trains on images of bars, whose class is where the bar stands. */
class ClassifierTest {
  private static final Classifier.Options BRIEF = new Classifier.Options(3, 32, 0.02, 0.9, 0, 1);

  @Test
  void lenetLearnsBarsAndStaysPrunedAndSharedThroughDeepCompression() {
    LabelledSamples train = bars(1_000, 1);
    LabelledSamples test = bars(300, 2);
    try (Classifier classifier = new Classifier(graph(), 2)) {
      assertTrue(classifier.error(test) > 0.5, "untrained");
      classifier.train(train, BRIEF, null);
      assertTrue(classifier.error(test) < 0.05, "trained: " + classifier.error(test));
      Map<String, LayerPlan> plans = new LinkedHashMap<>();
      classifier.weights().keySet().forEach(name -> plans.put(name, new LayerPlan(0.1, 4, 5)));
      DeepCompression.Result result =
          new DeepCompression(classifier, plans)
              .run(train, test, new DeepCompression.Options(BRIEF, BRIEF));
      assertEquals(
          List.of("dense", "pruned and retrained", "shared", "centroids tuned", "coded"),
          result.rows().stream().map(DeepCompression.Row::stage).toList());
      double dense = result.rows().getFirst().bytes();
      assertEquals(4.0 * 266_610, dense);
      assertTrue(result.rows().getLast().bytes() < dense / 25, "bytes");
      assertTrue(result.rows().getLast().error() < 0.06, "error");
      classifier.weights().values().forEach(weights -> assertShared(weights, 16));
    }
  }

  private static void assertShared(Parameter weights, int most) {
    int kept = 0;
    for (int i = 0; i < weights.values().length; i++) {
      int code = weights.codes()[i];
      kept += code == Parameter.ZERO ? 0 : 1;
      float expected = code == Parameter.ZERO ? 0 : weights.free()[code];
      assertEquals(expected, weights.values()[i], "weight " + i + " of " + weights.constant());
      assertEquals(code != Parameter.ZERO, weights.isKept(i), "mask at " + i);
    }
    assertTrue(weights.free().length <= most);
    assertEquals(0.1, (double) kept / weights.values().length, 0.02);
  }

  @Test
  void theMaskIsExactAfterEveryStepWithMomentumAndDecay() {
    LabelledSamples train = bars(300, 3);
    try (Classifier classifier = new Classifier(graph(), 1)) {
      Map<String, Structure> structures = new HashMap<>();
      classifier.weights().keySet().forEach(name -> structures.put(name, Structure.TWO_OF_FOUR));
      Classifier.Options options = new Classifier.Options(1, 32, 0.02, 0.9, 1e-3, 1);
      classifier.train(train, options, null);
      classifier.train(
          train, options, new Classifier.Pruning(structures, PruningSchedule.atOnce()));
      for (Parameter weights : classifier.weights().values()) {
        for (int i = 0; i < weights.values().length; i++) {
          boolean kept = weights.isKept(i);
          assertTrue(kept || Float.floatToRawIntBits(weights.values()[i]) == 0, "weight " + i);
        }
        assertEquals(weights.values().length / 2, weights.mask().kept());
      }
    }
  }

  @Test
  void theSameSeedGivesTheSameWeights() {
    assertArrayEquals(trained(1, 1), trained(2, 1));
    assertNotEquals(trained(1, 1)[5], trained(1, 2)[5]);
  }

  private static float[] trained(int threads, long seed) {
    try (Classifier classifier = new Classifier(graph(), threads)) {
      classifier.train(bars(100, 4), new Classifier.Options(1, 32, 0.02, 0.9, 0, seed), null);
      return classifier.parameters().getFirst().values();
    }
  }

  @Test
  void theCubicScheduleRisesToItsTarget() {
    PruningSchedule schedule = new PruningSchedule(10, 50, 5);
    assertEquals(0, schedule.sparsity(0.9, 10));
    assertEquals(0.9 * (1 - 0.125), schedule.sparsity(0.9, 30), 1e-12);
    assertEquals(0.9, schedule.sparsity(0.9, 50));
    assertEquals(
        List.of(10, 15, 20, 25, 30, 35, 40, 45, 50),
        IntStream.range(0, 100).filter(schedule::isDue).boxed().toList());
  }

  @Test
  void pruningThatWouldNotEndIsRefused() {
    try (Classifier classifier = new Classifier(graph(), 1)) {
      Classifier.Pruning pruning =
          new Classifier.Pruning(Map.of(), new PruningSchedule(0, 1_000, 10));
      Classifier.Options options = new Classifier.Options(1, 32, 0.02, 0.9, 0, 1);
      assertThrows(InputException.class, () -> classifier.train(bars(64, 1), options, pruning));
      Classifier.Pruning nowhere =
          new Classifier.Pruning(
              Map.of("nothing", Structure.TWO_OF_FOUR), PruningSchedule.atOnce());
      InputException refused =
          assertThrows(InputException.class, () -> classifier.train(bars(64, 1), options, nowhere));
      assertTrue(refused.getMessage().contains("nothing"), refused.getMessage());
    }
  }

  @Test
  void symbolsOfASparseLayerComeBack() {
    Random random = new Random(9);
    for (int gapBits : new int[] {1, 3, 5, 8}) {
      int[] assignment = new int[2_000];
      for (int i = 0; i < assignment.length; i++) {
        boolean isStored = random.nextInt(i < 1_000 ? 20 : 2) == 0;
        assignment[i] = isStored ? random.nextInt(256) : Parameter.ZERO;
      }
      SparseCode code = SparseCode.of(assignment, gapBits);
      assertArrayEquals(assignment, code.assignment(assignment.length, gapBits));
    }
  }

  @Test
  void idxFilesAreReadAndBadOnesNamed(@TempDir Path folder) throws IOException {
    Files.write(
        folder.resolve("train-images-idx3-ubyte"),
        ByteBuffer.allocate(20)
            .putInt(0x803)
            .putInt(2)
            .putInt(1)
            .putInt(2)
            .put(new byte[] {0, (byte) 255, 51, 102})
            .array());
    Path labels = folder.resolve("train-labels-idx1-ubyte");
    Files.write(
        labels, ByteBuffer.allocate(10).putInt(0x801).putInt(2).put(new byte[] {7, 3}).array());
    LabelledSamples samples = LabelledSamples.read(folder, "train");
    assertArrayEquals(new float[] {0, 1, 0.2f, 0.4f}, samples.values());
    assertArrayEquals(new int[] {7, 3}, samples.labels());
    Files.write(labels, ByteBuffer.allocate(9).putInt(0x801).putInt(1).put((byte) 7).array());
    assertThrows(FormatException.class, () -> LabelledSamples.read(folder, "train"));
    FormatException missing =
        assertThrows(FormatException.class, () -> LabelledSamples.read(folder, "t10k"));
    assertTrue(missing.getMessage().contains("t10k-images-idx3-ubyte"), missing.getMessage());
  }

  private static Graph graph() {
    return Passes.standard(LeNet.fullyConnected(1));
  }

  private static LabelledSamples bars(int count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[count * 784];
    int[] labels = new int[count];
    for (int n = 0; n < count; n++) {
      labels[n] = random.nextInt(10);
      for (int i = 0; i < 784; i++) {
        boolean inBar = i % 28 / 2 == labels[n] + 1;
        values[n * 784 + i] = (inBar ? 0.8f : 0) + 0.2f * random.nextFloat();
      }
    }
    return new LabelledSamples(values, Shape.of(1, 28, 28), labels);
  }
}
