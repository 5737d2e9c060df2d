package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.WeightMatrix;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Sparse24;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Convolutions of three and of eight channels, each normalised with channels of all sizes. */
class ConvolutionPruningTest {
  private static final int CHANNELS = 8;
  private static final int OUT = 12;

  @TempDir private Path folder;
  private Model model;

  @BeforeEach
  void open() {
    Samples samples = new Samples(2);
    float[] deviations = new float[OUT];
    float[] ones = new float[OUT];
    for (int i = 0; i < OUT; i++) {
      // an output of small variance counts for much once it is normalised
      deviations[i] = (float) Math.exp(i % 5 - 2);
      ones[i] = 1;
    }
    float[] second = samples.normal(OUT * CHANNELS * 9);
    model =
        Model.open(
            new OnnxModel(13)
                .input("x", DType.F32, "1", "3", "10", "10")
                .initializer("first.weight", Tensor.of(samples.normal(CHANNELS * 27), 8, 3, 3, 3))
                .initializer("second.weight", Tensor.of(second, OUT, CHANNELS, 3, 3))
                .initializer("gamma", Tensor.of(ones, OUT))
                .initializer("beta", Tensor.of(samples.normal(OUT), OUT))
                .initializer("mean", Tensor.of(samples.normal(OUT), OUT))
                .initializer("variance", Tensor.of(deviations, OUT))
                .node("Conv", "c", "x", "first.weight")
                .node("Relu", "r", "c")
                .node("Conv", "d", "r", "second.weight")
                .node("BatchNormalization", "n", "d", "gamma", "beta", "mean", "variance")
                .output("n", DType.F32, "1", Integer.toString(OUT), "6", "6")
                .write(folder.resolve("net.onnx")));
  }

  @AfterEach
  void close() {
    model.close();
  }

  private static Recipe recipe(String options) {
    return RecipeJson.parse(
        "test",
        "{\"version\": 1, \"name\": \"conv\", \"stages\": [{\"prune\": {"
            + options
            + ", \"targets\": [\"Convolution\"]}}]}");
  }

  private static float[] run(Model model) {
    SessionOptions scalar = SessionOptions.defaults().withKernels("scalar").withThreads(1);
    try (Session session = model.session(scalar)) {
      return session
          .run(Map.of("x", Tensor.of(new Samples(5).normal(300), 1, 3, 10, 10)))
          .get("n")
          .toFloats();
    }
  }

  private Compression compress(String options) {
    return Compressor.compress(model, recipe(options), 1, Progress.NONE);
  }

  @Test
  void groupsRunAlongTheChannelsAndWhatCannotBeGroupedSaysWhy() {
    Compression compression = compress("\"mask_structure\": \"2:4\"");
    assertEquals(
        List.of("first", "second"),
        compression.layers().stream().map(layer -> layer.matrix().name()).toList());
    assertEquals("3 channels do not make groups of 4", compression.layers().get(0).refused());
    Path file = folder.resolve("pruned.filigree");
    compression.write(file);
    try (Model pruned = compression.toModel();
        Model written = Model.open(file)) {
      Tensor second = written.constants().get("second.weight").toTensor();
      for (int o = 0; o < OUT; o++) {
        for (int group = 0; group < CHANNELS; group += 4) {
          for (int tap = 0; tap < 9; tap++) {
            int kept = 0;
            for (int c = group; c < group + 4; c++) {
              kept += second.getDouble((o * CHANNELS + c) * 9 + tap) != 0 ? 1 : 0;
            }
            assertEquals(2, kept);
          }
        }
      }
      for (Model each : List.of(pruned, written)) {
        Node node =
            each.graph().nodes().stream()
                .filter(n -> Convolution.source(n).equals("second.weight"))
                .findFirst()
                .orElseThrow();
        String constant = node.inputs().get(Convolution.WEIGHTS);
        assertTrue(
            each.graph().constants().get(constant)
                    instanceof dev.filigree.graph.Constant.Compressed(var weights, var turned)
                && weights instanceof Sparse24,
            "the kernels get it packed");
      }
      Floats.assertSameBits(run(pruned), run(written));
    }
  }

  /** Folding scales whole outputs, which groups do not notice and thresholds do. */
  @Test
  void foldingLeavesGroupsAloneAndMovesThresholds() {
    assertEquals(
        mask(compress("\"mask_structure\": \"2:4\"")),
        mask(compress("\"mask_structure\": \"2:4\", \"fold_batchnorm\": false")));
    String rows = "\"mask_structure\": \"unstructured\", \"sparsity\": 0.5, \"scope\": \"row\"";
    assertEquals(mask(compress(rows)), mask(compress(rows + ", \"fold_batchnorm\": false")));
    for (String scope : List.of("layer", "global")) {
      String options =
          "\"mask_structure\": \"unstructured\", \"sparsity\": 0.5, \"scope\": \"" + scope + "\"";
      Compression folded = compress(options);
      Compression asStored = compress(options + ", \"fold_batchnorm\": false");
      assertNotEquals(mask(folded), mask(asStored));
      assertTrue(error(folded) < error(asStored), error(folded) + " and " + error(asStored));
    }
  }

  private static String mask(Compression compression) {
    StringBuilder mask = new StringBuilder();
    try (Model model = compression.toModel()) {
      Tensor second = model.constants().get("second.weight").toTensor();
      for (long i = 0; i < second.elements(); i++) {
        mask.append(second.getDouble(i) == 0 ? '0' : '1');
      }
    }
    return mask.toString();
  }

  private double error(Compression compression) {
    float[] expected = run(model);
    double lost = 0;
    try (Model pruned = compression.toModel()) {
      float[] found = run(pruned);
      for (int i = 0; i < found.length; i++) {
        lost += (found[i] - expected[i]) * (found[i] - expected[i]);
      }
    }
    return lost;
  }

  @Test
  void convolutionsAreMatricesOfTheirOwnUse() {
    for (WeightMatrix matrix : model.convolutions()) {
      assertEquals(WeightMatrix.Use.CONVOLUTION, matrix.use());
      assertEquals(matrix.channels() * 9, matrix.weights().columns());
    }
    assertEquals(List.of(), model.matrices());
  }
}
