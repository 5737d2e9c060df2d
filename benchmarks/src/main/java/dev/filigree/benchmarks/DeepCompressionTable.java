package dev.filigree.benchmarks;

import dev.filigree.compress.Structure;
import dev.filigree.compress.train.Classifier;
import dev.filigree.compress.train.DeepCompression;
import dev.filigree.compress.train.DeepCompression.LayerPlan;
import dev.filigree.compress.train.LabelledSamples;
import dev.filigree.compress.train.LeNet;
import dev.filigree.compress.train.PruningSchedule;
import dev.filigree.graph.Graph;
import dev.filigree.graph.pass.Passes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Trains both LeNets from scratch on folders of IDX files and compresses them by Deep Compression,
 * then prunes the smaller one while training and after, in several ways.
 *
 * <pre>
 *   DeepCompressionTable THREADS FOLDER...
 * </pre>
 */
public final class DeepCompressionTable {
  private static final long SEED = 1;
  private static final double MOMENTUM = 0.9;
  private static final double DECAY = 5e-4;

  /** Samples that the comparison of ways to prune trains on: a fifth of MNIST's. */
  private static final int FEWER = 12_000;

  /** What the paper's tables 2 and 3 keep and store: kept, bits of a code, bits of a gap. */
  private static final List<LayerPlan> FULLY_CONNECTED =
      List.of(new LayerPlan(0.08, 6, 5), new LayerPlan(0.09, 6, 5), new LayerPlan(0.26, 6, 5));

  private static final List<LayerPlan> CONVOLUTIONAL =
      List.of(
          new LayerPlan(0.66, 8, 5),
          new LayerPlan(0.12, 8, 5),
          new LayerPlan(0.08, 5, 5),
          new LayerPlan(0.19, 5, 5));

  private DeepCompressionTable() {}

  public static void main(String[] arguments) {
    if (arguments.length < 2) {
      System.err.println("usage: DeepCompressionTable THREADS FOLDER...");
      System.exit(2);
    }
    int threads = Integer.parseInt(arguments[0]);
    long start = System.nanoTime();
    for (String folder : List.of(arguments).subList(1, arguments.length)) {
      LabelledSamples train = LabelledSamples.read(Path.of(folder), "train");
      LabelledSamples test = LabelledSamples.read(Path.of(folder), "t10k");
      table(folder, LeNet.fullyConnected(SEED), FULLY_CONNECTED, 15, 0.05, train, test, threads);
      table(folder, LeNet.convolutional(SEED), CONVOLUTIONAL, 6, 0.01, train, test, threads);
      whenToPrune(folder, train.first(FEWER), test, threads);
    }
    System.out.printf(Locale.ROOT, "%.0f s in all%n", (System.nanoTime() - start) / 1e9);
  }

  private static void table(
      String folder,
      Graph graph,
      List<LayerPlan> plans,
      int epochs,
      double rate,
      LabelledSamples train,
      LabelledSamples test,
      int threads) {
    long start = System.nanoTime();
    System.out.printf("%n%s on %s%n", graph.name(), folder);
    try (Classifier classifier = new Classifier(Passes.standard(graph), threads)) {
      classifier.train(train, options(epochs, rate), null);
      Map<String, LayerPlan> byLayer = new LinkedHashMap<>();
      for (String constant : classifier.weights().keySet()) {
        byLayer.put(constant, plans.get(byLayer.size()));
      }
      DeepCompression.Result result =
          new DeepCompression(classifier, byLayer)
              .run(
                  train,
                  test,
                  new DeepCompression.Options(
                      options(epochs, rate), options(Math.max(2, epochs / 5), 0.001)));
      double dense = result.rows().getFirst().bytes();
      for (DeepCompression.Row row : result.rows()) {
        System.out.printf(
            Locale.ROOT,
            "| %s | %.2f %% | %.1f KB | %.1fx |%n",
            row.stage(),
            100 * row.error(),
            row.bytes() / 1e3,
            dense / row.bytes());
      }
      for (DeepCompression.CodedLayer layer : result.layers()) {
        System.out.printf(
            Locale.ROOT,
            "| %s | %d | %.0f %% | %.1f | %.1f | %.2f %% |%n",
            layer.constant(),
            layer.weights(),
            100.0 * layer.kept() / layer.weights(),
            layer.codeBits(),
            layer.gapBits(),
            100 * layer.bytes() / (4 * layer.weights()));
      }
    }
    System.out.printf(Locale.ROOT, "%.0f s%n", (System.nanoTime() - start) / 1e9);
  }

  private static Classifier.Options options(int epochs, double rate) {
    return new Classifier.Options(epochs, 128, rate, MOMENTUM, DECAY, SEED);
  }

  /** LeNet-300-100 pruned while it is trained or after, with as many epochs or fewer. */
  private static void whenToPrune(
      String folder, LabelledSamples train, LabelledSamples test, int threads) {
    int epochs = 8;
    int steps = epochs * Math.ceilDiv(train.count(), 128);
    System.out.printf("%nwhen to prune: lenet-300-100 on %s%n", folder);
    for (boolean isGroups : new boolean[] {false, true}) {
      List<Structure> structures = new ArrayList<>();
      for (LayerPlan plan : FULLY_CONNECTED) {
        structures.add(
            isGroups ? Structure.TWO_OF_FOUR : new Structure.Unstructured(1 - plan.kept()));
      }
      double[] errors = new double[5];
      try (Classifier classifier = classifier(threads)) {
        classifier.train(train, options(epochs, 0.05), null);
        errors[0] = classifier.error(test);
        Classifier.Pruning once = pruning(classifier, structures, PruningSchedule.atOnce());
        classifier.train(train.first(128), options(1, 1e-9), once);
        errors[1] = classifier.error(test);
        classifier.train(train, options(epochs, 0.05), null);
        errors[2] = classifier.error(test);
      }
      PruningSchedule gradual =
          new PruningSchedule(steps / 4, 3 * steps / 4, Math.max(1, steps / 60));
      try (Classifier classifier = classifier(threads)) {
        classifier.train(train, options(epochs, 0.05), null);
        classifier.train(train, options(epochs, 0.05), pruning(classifier, structures, gradual));
        errors[3] = classifier.error(test);
      }
      try (Classifier classifier = classifier(threads)) {
        classifier.train(train, options(epochs, 0.05), pruning(classifier, structures, gradual));
        errors[4] = classifier.error(test);
      }
      System.out.printf(
          Locale.ROOT,
          "| %s | %s |%n",
          isGroups ? "2:4" : "8 / 9 / 26 %",
          String.join(
              " | ",
              Arrays.stream(errors)
                  .mapToObj(error -> String.format(Locale.ROOT, "%.2f %%", 100 * error))
                  .toList()));
    }
  }

  private static Classifier classifier(int threads) {
    return new Classifier(Passes.standard(LeNet.fullyConnected(SEED)), threads);
  }

  private static Classifier.Pruning pruning(
      Classifier classifier, List<Structure> structures, PruningSchedule schedule) {
    Map<String, Structure> byLayer = new LinkedHashMap<>();
    for (String constant : classifier.weights().keySet()) {
      byLayer.put(constant, structures.get(byLayer.size()));
    }
    return new Classifier.Pruning(byLayer, schedule);
  }
}
