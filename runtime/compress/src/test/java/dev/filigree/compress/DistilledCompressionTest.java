package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Sparse24;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A block with a residual, pruned and taught by the dense one. */
class DistilledCompressionTest {
  private static final int WIDTH = 16;
  private static final int HIDDEN = 32;
  private static final String PRUNE =
      "{\"prune\": {\"method\": \"magnitude\", \"mask_structure\": \"2:4\"}}";
  private static final String DISTILL =
      "{\"distill\": {\"block_epochs\": 20, \"block_rate\": 0.01, \"model_epochs\": 5,"
          + " \"model_rate\": 0.001, \"positions\": 64}}";

  @TempDir private Path folder;

  private Model model() {
    Samples samples = new Samples(5);
    return Model.open(
        new OnnxModel(13)
            .input("x", DType.F32, "tokens", Integer.toString(WIDTH))
            .initializer("up.weight", Tensor.of(samples.normal(WIDTH * HIDDEN), WIDTH, HIDDEN))
            .initializer("up.bias", Tensor.of(samples.normal(HIDDEN), HIDDEN))
            .initializer("down.weight", Tensor.of(samples.normal(WIDTH * HIDDEN), HIDDEN, WIDTH))
            .initializer("down.bias", Tensor.of(samples.normal(WIDTH), WIDTH))
            .node("MatMul", "m", "x", "up.weight")
            .node("Add", "a", "m", "up.bias")
            .node("Relu", "h", "a")
            .node("MatMul", "d", "h", "down.weight")
            .node("Add", "b", "d", "down.bias")
            .node("Add", "y", "b", "x")
            .output("y", DType.F32, "tokens", Integer.toString(WIDTH))
            .write(folder.resolve("block.onnx")));
  }

  private static Tensor inputs(int tokens, long seed) {
    return Tensor.of(new Samples(seed).normal(tokens * WIDTH), tokens, WIDTH);
  }

  private static Recipe recipe(String... stages) {
    return RecipeJson.parse(
        "r", "{\"version\": 1, \"name\": \"r\", \"stages\": [" + String.join(", ", stages) + "]}");
  }

  private static Compression compress(Model model, String... stages) {
    Calibration calibration =
        new Calibration(List.of(Map.of("x", inputs(500, 1)), Map.of("x", inputs(500, 2))));
    return Compressor.compress(model, recipe(stages), calibration, 2, Progress.NONE);
  }

  private static float[] run(Model model) {
    SessionOptions scalar = SessionOptions.defaults().withKernels("scalar").withThreads(1);
    try (Session session = model.session(scalar)) {
      return session.run(Map.of("x", inputs(200, 99))).get("y").toFloats();
    }
  }

  private static double error(float[] expected, Compression compression) {
    try (Model compressed = compression.toModel()) {
      float[] actual = run(compressed);
      double difference = 0;
      double norm = 0;
      for (int i = 0; i < actual.length; i++) {
        difference += Math.pow(expected[i] - actual[i], 2);
        norm += Math.pow(expected[i], 2);
      }
      return Math.sqrt(difference / norm);
    }
  }

  @Test
  void distillationTakesMuchOfTheErrorOnUnseenInputsAndInt8KeepsThat() {
    try (Model model = model()) {
      float[] expected = run(model);
      double pruned = error(expected, compress(model, PRUNE));
      Compression distilled = compress(model, PRUNE, DISTILL);
      double after = error(expected, distilled);
      assertTrue(after < 0.7 * pruned, pruned + " to " + after);
      double int8 =
          error(expected, compress(model, PRUNE, DISTILL, "{\"quantize\": {\"bits\": 8}}"));
      assertEquals(after, int8, 0.02);
      distilled.layers().forEach(layer -> assertTrue(layer.weights() instanceof Sparse24));
      assertTrue(distilled.tuned().keySet().containsAll(List.of("up.bias", "down.bias")));
    }
  }

  @Test
  void recipesThatShareTheirTrainingTrainOnceAndGetWhatTheyGetAlone() {
    try (Model model = model()) {
      Calibration calibration =
          new Calibration(List.of(Map.of("x", inputs(500, 1)), Map.of("x", inputs(500, 2))));
      List<String> heard = new ArrayList<>();
      Sweep sweep = new Sweep(model, calibration, 2);
      String int8 = "{\"quantize\": {\"bits\": 8}}";
      List<Compression> shared =
          Stream.of(recipe(PRUNE), recipe(PRUNE, DISTILL), recipe(PRUNE, DISTILL, int8))
              .map(recipe -> sweep.compress(recipe, (task, done, total) -> heard.add(task)))
              .toList();
      long trained = heard.stream().filter("distilling blocks"::equals).count();
      heard.clear();
      sweep.compress(recipe(PRUNE, DISTILL, int8), (task, done, total) -> heard.add(task));
      assertTrue(trained > 0);
      assertEquals(Set.of("encoding"), Set.copyOf(heard), "all else is known");
      try (Model together = shared.get(2).toModel();
          Model alone = compress(model, PRUNE, DISTILL, int8).toModel()) {
        assertArrayEquals(run(alone), run(together));
      }
    }
  }

  @Test
  void pruningIsFittedToAShareOfTheSamplesIfThereAreMore() {
    String sparse = "{\"prune\": {\"method\": \"sparsegpt\", \"refit\": true}}";
    try (Model model = model()) {
      Compression all = compress(model, sparse, DISTILL);
      String few = DISTILL.replace("\"distill\": {", "\"distill\": {\"fit_samples\": 200, ");
      Compression part = compress(model, sparse, few);
      assertEquals(1000, all.layers().getFirst().calibrated().tokens());
      assertEquals(200, part.layers().getFirst().calibrated().tokens());
      assertEquals(200, part.recipe().distillation().fitSamples());
    }
  }

  @Test
  void theFileHoldsWhatWasTrained() {
    try (Model model = model()) {
      Compression distilled = compress(model, PRUNE, DISTILL);
      Path file = folder.resolve("distilled.filigree");
      distilled.write(file);
      try (Model inMemory = distilled.toModel();
          Model read = Model.open(file)) {
        assertArrayEquals(run(inMemory), run(read));
        assertTrue(read.metadata().get(Compression.RECIPE).contains("block_epochs"));
      }
    }
  }

  @Test
  void encodingsThatNeedCalibrationAreRefusedByLayer() {
    try (Model model = model()) {
      InputException refused =
          assertThrows(
              InputException.class,
              () ->
                  compress(
                      model,
                      PRUNE,
                      DISTILL,
                      "{\"quantize\": {\"bits\": 4, \"method\": \"gptq\"}}"));
      assertTrue(refused.getMessage().contains("with calibration"), refused.getMessage());
    }
  }

  @Test
  void aNetworkThatCannotBeTrainedThroughIsRefusedBeforeItIsPruned() {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "tokens", Integer.toString(WIDTH))
            .initializer("w", Tensor.of(new Samples(5).normal(WIDTH * HIDDEN), WIDTH, HIDDEN))
            .node("MatMul", "m", "x", "w")
            .node("Cos", "y", "m")
            .output("y", DType.F32, "tokens", Integer.toString(HIDDEN))
            .write(folder.resolve("cosine.onnx"));
    Calibration samples = new Calibration(List.of(Map.of("x", inputs(50, 1))));
    Recipe recipe = Recipe.named("2:4-distilled");
    List<String> done = new ArrayList<>();
    try (Model model = Model.open(file)) {
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class,
              () ->
                  Compressor.compress(model, recipe, samples, 2, (task, at, of) -> done.add(task)));
      assertTrue(refused.problem().contains("(Cos)"), refused.problem());
      assertTrue(refused.problem().contains("cannot be trained through"), refused.problem());
    }
    assertEquals(List.of(), done);
  }

  @Test
  void aConvolutionThatCannotBeTrainedIsNamedAsItsFileNamesItWithTheReason() {
    Path file =
        new OnnxModel(13)
            .input("x", DType.F32, "n", "4", "6", "6")
            .initializer("stem.weight", Tensor.of(new Samples(5).normal(4 * 9), 4, 1, 3, 3))
            .node("Conv", Map.of("group", new long[] {4}), "c", "x", "stem.weight")
            .node("Flatten", "flat", "c")
            .initializer("w", Tensor.of(new Samples(6).normal(64 * 8), 64, 8))
            .node("MatMul", "y", "flat", "w")
            .output("y", DType.F32, "n", "8")
            .write(folder.resolve("grouped.onnx"));
    Tensor images = Tensor.of(new Samples(7).normal(20 * 144), 20, 4, 6, 6);
    Calibration samples = new Calibration(List.of(Map.of("x", images)));
    Recipe recipe = Recipe.named("2:4-distilled");
    try (Model model = Model.open(file)) {
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class,
              () -> Compressor.compress(model, recipe, samples, 2, Progress.NONE));
      assertTrue(
          refused
              .problem()
              .endsWith("(Convolution) cannot be trained through: its channels are in 4 groups"),
          refused.problem());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        DISTILL,
        DISTILL + "," + PRUNE,
        PRUNE + "," + DISTILL + "," + DISTILL,
        PRUNE + ", {\"quantize\": {\"bits\": 8}}, " + DISTILL
      })
  void distillationAtAnotherPlaceIsRefused(String stages) {
    assertThrows(InputException.class, () -> recipe(stages));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"block_epochs\": 0, \"model_epochs\": 0}",
        "{\"block_rate\": 0}",
        "{\"positions\": 0}",
        "{\"fit_samples\": 0}",
        "{\"hidden\": -1}"
      })
  void impossibleOptionsAreRefused(String options) {
    assertThrows(InputException.class, () -> recipe(PRUNE, "{\"distill\": " + options + "}"));
  }
}
