package dev.filigree.benchmarks;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.compress.Compressor;
import dev.filigree.compress.Recipe;
import dev.filigree.compress.RecipeJson;
import dev.filigree.format.onnx.OnnxWriter;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * What pruning before normalisation costs: small weights go from a network of convolutions, each
 * with a batch normalisation behind it, scored as the file has them and as they act once the
 * normalisation is folded in. Printed is how far the outputs move, relative to their norm.
 */
public final class FoldingExperiment {
  private static final int CHANNELS = 16;
  private static final int DEPTH = 4;
  private static final int SIZE = 12;
  private static final int IMAGES = 8;

  /** Spread of the normalisation's factors, of their logarithm: a trained network's is like it. */
  private static final double SPREAD = 0.7;

  private FoldingExperiment() {}

  /** Errors of the outputs with a share of the weights gone. */
  record Result(double sparsity, String scope, double folded, double asStored) {}

  public static void main(String[] arguments) throws IOException {
    System.out.println("weights gone  scope    folded first  as stored");
    for (Result result : measure(1)) {
      System.out.printf(
          Locale.ROOT,
          "%11.0f %%  %-7s %13.3f %10.3f%n",
          100 * result.sparsity,
          result.scope,
          result.folded,
          result.asStored);
    }
  }

  static List<Result> measure(long seed) throws IOException {
    Path file = Files.createTempFile("folding", ".onnx");
    try {
      OnnxWriter.write(network(new SplittableRandom(seed)), file);
      List<Result> results = new ArrayList<>();
      try (Model model = Model.open(file)) {
        float[] expected = run(model, seed);
        for (double sparsity : new double[] {0.3, 0.5, 0.7}) {
          for (String scope : List.of("global", "layer", "row")) {
            results.add(
                new Result(
                    sparsity,
                    scope,
                    error(model, sparsity, scope, true, expected, seed),
                    error(model, sparsity, scope, false, expected, seed)));
          }
        }
      }
      return results;
    } finally {
      Files.deleteIfExists(file);
    }
  }

  private static double error(
      Model model, double sparsity, String scope, boolean folded, float[] expected, long seed) {
    Recipe recipe =
        RecipeJson.parse(
            "experiment",
            String.format(
                Locale.ROOT,
                "{\"version\": 1, \"name\": \"folding\", \"stages\": [{\"prune\": {"
                    + "\"mask_structure\": \"unstructured\", \"sparsity\": %s, \"scope\": \"%s\","
                    + "\"fold_batchnorm\": %s, \"targets\": [\"Convolution\"]}}]}",
                sparsity,
                scope,
                folded));
    double lost = 0;
    double norm = 0;
    try (Model pruned = Compressor.compress(model, recipe, 1, Progress.NONE).toModel()) {
      float[] found = run(pruned, seed);
      for (int i = 0; i < found.length; i++) {
        lost += Math.pow(found[i] - expected[i], 2);
        norm += Math.pow(expected[i], 2);
      }
    }
    return Math.sqrt(lost / norm);
  }

  private static float[] run(Model model, long seed) {
    float[] x = normal(new SplittableRandom(seed + 1), IMAGES * CHANNELS * SIZE * SIZE, 1);
    try (Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      return session
          .run(Map.of("x", Tensor.of(x, IMAGES, CHANNELS, SIZE, SIZE)))
          .get("y")
          .toFloats();
    }
  }

  private static Graph network(SplittableRandom random) {
    Map<String, Constant> constants = new LinkedHashMap<>();
    List<Node> nodes = new ArrayList<>();
    String value = "x";
    for (int layer = 0; layer < DEPTH; layer++) {
      String name = "conv" + layer;
      float[] scales = new float[CHANNELS];
      float[] variances = new float[CHANNELS];
      for (int c = 0; c < CHANNELS; c++) {
        // small weights where the normalisation makes them large again
        scales[c] = (float) Math.exp(SPREAD * random.nextGaussian());
        variances[c] = 9f * CHANNELS * scales[c] * scales[c];
      }
      float[] weights = normal(random, CHANNELS * CHANNELS * 9, 1);
      for (int i = 0; i < weights.length; i++) {
        weights[i] *= scales[i / (CHANNELS * 9)];
      }
      constants.put(
          name + ".weight", new Constant.Plain(Tensor.of(weights, CHANNELS, CHANNELS, 3, 3)));
      vector(constants, name + ".gamma", ones());
      vector(constants, name + ".beta", normal(random, CHANNELS, 0.1));
      vector(constants, name + ".mean", new float[CHANNELS]);
      vector(constants, name + ".variance", variances);
      nodes.add(node("Conv", name, List.of(value, name + ".weight")));
      nodes.add(
          node(
              "BatchNormalization",
              name + "n",
              List.of(name, name + ".gamma", name + ".beta", name + ".mean", name + ".variance")));
      value = layer == DEPTH - 1 ? "y" : name + "r";
      nodes.add(node("Relu", value, List.of(name + "n")));
    }
    return new Graph("folding", 13, List.of(image("x")), List.of(image("y")), nodes, constants);
  }

  private static ValueInfo image(String name) {
    long side = name.equals("x") ? SIZE : SIZE - 2L * DEPTH;
    return new ValueInfo(
        name, DType.F32, List.of(Dim.of(IMAGES), Dim.of(CHANNELS), Dim.of(side), Dim.of(side)));
  }

  private static Node node(String type, String output, List<String> inputs) {
    return new Node(output, Node.ONNX, type, inputs, List.of(output), Map.of());
  }

  private static void vector(Map<String, Constant> constants, String name, float[] values) {
    constants.put(name, new Constant.Plain(Tensor.of(values, values.length)));
  }

  private static float[] ones() {
    float[] ones = new float[CHANNELS];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static float[] normal(SplittableRandom random, int count, double deviation) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    return values;
  }
}
