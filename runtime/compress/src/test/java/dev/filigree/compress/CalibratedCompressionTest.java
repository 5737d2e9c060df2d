package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Weights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A block with a residual, as transformers have it: up, ReLU, down, plus what came in. */
class CalibratedCompressionTest {
  private static final int WIDTH = 32;
  private static final int HIDDEN = 64;
  private static final int TOKENS = 1500;

  @TempDir private Path folder;

  private Path model() {
    Samples samples = new Samples(5);
    return new OnnxModel(13)
        .input("x", DType.F32, "tokens", Integer.toString(WIDTH))
        .initializer("up.weight", Tensor.of(samples.normal(WIDTH * HIDDEN), WIDTH, HIDDEN))
        .initializer("up.bias", Tensor.of(samples.normal(HIDDEN), HIDDEN))
        .initializer("down.weight", Tensor.of(samples.normal(WIDTH * HIDDEN), HIDDEN, WIDTH))
        .initializer("down.bias", Tensor.of(samples.normal(WIDTH), WIDTH))
        .initializer("last.weight", Tensor.of(samples.normal(WIDTH * WIDTH), WIDTH, WIDTH))
        .node("MatMul", "m", "x", "up.weight")
        .node("Add", "a", "m", "up.bias")
        .node("Relu", "h", "a")
        .node("MatMul", "d", "h", "down.weight")
        .node("Add", "b", "d", "down.bias")
        .node("Add", "r", "b", "x")
        .node("MatMul", "y", "r", "last.weight")
        .output("y", DType.F32, "tokens", Integer.toString(WIDTH))
        .write(folder.resolve("block.onnx"));
  }

  /** Correlated inputs of very different sizes. */
  private static Tensor inputs(int tokens, long seed) {
    float[] mixing = new Samples(1).normal(WIDTH * WIDTH);
    float[] raw = new Samples(seed).normal(tokens * WIDTH);
    float[] x = new float[tokens * WIDTH];
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < WIDTH; i++) {
        float sum = 0.3f * raw[t * WIDTH + i];
        for (int j = 0; j < WIDTH / 3; j++) {
          sum += raw[t * WIDTH + j] * mixing[j * WIDTH + i];
        }
        x[t * WIDTH + i] = sum * (0.2f + i % 4);
      }
    }
    return Tensor.of(x, tokens, WIDTH);
  }

  private static Calibration calibration() {
    List<Map<String, Tensor>> batches = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      batches.add(Map.of("x", inputs(TOKENS / 3, 10 + i)));
    }
    return new Calibration(batches);
  }

  private static float[] run(Model model) {
    SessionOptions scalar = SessionOptions.defaults().withKernels("scalar").withThreads(1);
    try (Session session = model.session(scalar)) {
      return session.run(Map.of("x", inputs(200, 99))).get("y").toFloats();
    }
  }

  /** Relative error of the outputs on tokens that calibration has not seen. */
  private static double error(Model model, String stages) {
    Recipe recipe =
        RecipeJson.parse("r", "{\"version\": 1, \"name\": \"r\", \"stages\": [" + stages + "]}");
    float[] expected = run(model);
    Compression compression = Compressor.compress(model, recipe, calibration(), 2, Progress.NONE);
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
  void eachStepOfTheMethodLosesLessThanTheOneBefore() {
    try (Model model = Model.open(model())) {
      double magnitude = error(model, "{\"prune\": {\"method\": \"magnitude\"}}");
      double wanda = error(model, "{\"prune\": {\"method\": \"wanda\"}}");
      double surgery = error(model, "{\"prune\": {\"method\": \"sparsegpt\"}}");
      double refit = error(model, "{\"prune\": {\"method\": \"sparsegpt\", \"refit\": true}}");
      assertTrue(wanda < magnitude, wanda + " and " + magnitude);
      assertTrue(surgery < wanda, surgery + " and " + wanda);
      assertTrue(refit < surgery, refit + " and " + surgery);
    }
  }

  @Test
  void biasCorrectionMovesTheMeanOfOutputsBack() {
    try (Model model = Model.open(model())) {
      double without =
          error(model, "{\"prune\": {\"method\": \"wanda\", \"targets\": [\"down\"]}}");
      double with =
          error(
              model,
              "{\"prune\": {\"method\": \"wanda\", \"targets\": [\"down\"],"
                  + " \"bias_correction\": true}}");
      assertTrue(with < without, with + " and " + without);
    }
  }

  @Test
  void roundingThatMakesUpForItselfLosesLess() {
    String integers = "{\"quantize\": {\"bits\": 4, \"strategy\": \"group\", \"group_size\": 16";
    try (Model model = Model.open(model())) {
      double nearest = error(model, integers + "}}");
      double gptq = error(model, integers + ", \"method\": \"gptq\"}}");
      double fitted = error(model, integers + ", \"method\": \"gptq\", \"refit\": true}}");
      assertTrue(gptq < nearest, gptq + " and " + nearest);
      assertTrue(fitted < nearest, fitted + " and " + nearest);
      double three = error(model, integers.replace("4", "3") + ", \"method\": \"gptq\"}}");
      assertTrue(three > gptq, "three bits cost more than four");
    }
  }

  @Test
  void sensitivityMakesCodebooksBetter() {
    try (Model model = Model.open(model())) {
      double alike = error(model, "{\"share\": {\"bits\": 2}}");
      double weighted = error(model, "{\"share\": {\"bits\": 2, \"weights\": \"hessian-diag\"}}");
      double gptq =
          error(
              model,
              "{\"share\": {\"bits\": 2, \"weights\": \"hessian-diag\", \"method\": \"gptq\"}}");
      assertTrue(weighted < alike, weighted + " and " + alike);
      assertTrue(gptq < weighted, gptq + " and " + weighted);
    }
  }

  @Test
  void aPrunedLayerIsRoundedWithoutComingBack() {
    String prune = "{\"prune\": {\"method\": \"sparsegpt\", \"refit\": true}}, ";
    String quantize = "{\"quantize\": {\"bits\": 4, \"strategy\": \"group\", \"group_size\": 16";
    try (Model model = Model.open(model())) {
      double nearest = error(model, prune + quantize + "}}");
      double gptq = error(model, prune + quantize + ", \"method\": \"gptq\"}}");
      assertTrue(gptq < nearest, gptq + " and " + nearest);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"2:4-sparsegpt", "2:4-sparsegpt-int8", "int4-gptq"})
  void theFileRunsAsTheModelInMemoryDoesBitForBit(String name) {
    // the model has no table for the second stage of some of them
    Recipe recipe = Recipe.named(name);
    Path output = folder.resolve("out.filigree");
    try (Model model = Model.open(model())) {
      Compression compression = Compressor.compress(model, recipe, calibration(), 2, Progress.NONE);
      compression.write(output);
      try (Model inMemory = compression.toModel();
          Model reopened = Model.open(output)) {
        float[] outputs = run(inMemory);
        Floats.assertSameBits(outputs, run(reopened));
        for (Compression.Layer layer : compression.layers()) {
          assertTrue(layer.outputError() > 0 && layer.outputError() < 1, layer.toString());
          assertTrue(layer.calibrated().damping() >= Stage.DAMPING);
          assertEquals(TOKENS, layer.calibrated().tokens());
        }
        float[] bias = reopened.constants().get("up.bias").toTensor().toFloats();
        assertFalse(Arrays.equals(model.constants().get("up.bias").toTensor().toFloats(), bias));
      }
    }
  }

  @Test
  void threadsDoNotChangeTheResult() {
    try (Model model = Model.open(model())) {
      Recipe recipe = Recipe.named("2:4-sparsegpt");
      List<float[]> results = new ArrayList<>();
      for (int threads : new int[] {1, 3}) {
        for (Compression.Layer layer :
            Compressor.compress(model, recipe, calibration(), threads, Progress.NONE).layers()) {
          results.add(layer.weights().unpack());
        }
      }
      for (int i = 0; i < 3; i++) {
        assertArrayEquals(results.get(i), results.get(i + 3), "layer " + i);
      }
    }
  }

  @Test
  void twoOfFourLiesAlongTheInputs() {
    try (Model model = Model.open(model())) {
      for (Compression.Layer layer :
          Compressor.compress(model, Recipe.named("2:4-sparsegpt"), calibration(), 2, Progress.NONE)
              .layers()) {
        Weights weights = layer.weights();
        float[] values = weights.unpack();
        for (int i = 0; i < values.length; i += 4) {
          int kept = 0;
          for (int j = i; j < i + 4; j++) {
            kept += values[j] != 0 ? 1 : 0;
          }
          assertTrue(kept <= 2, "row-major groups of [out, in]");
        }
      }
    }
  }

  @Test
  void samplesThatAreNoneOrNotTheModelsAreRefused() {
    assertThrows(InputException.class, () -> new Calibration(List.of()));
    try (Model model = Model.open(model())) {
      Recipe recipe = Recipe.named("2:4-sparsegpt");
      Calibration wrong =
          new Calibration(List.of(Map.of("ids", Tensor.of(new float[WIDTH], 1, WIDTH))));
      InputException refused =
          assertThrows(
              InputException.class,
              () -> Compressor.compress(model, recipe, wrong, 1, Progress.NONE));
      String said = "a calibration sample does not fit " + model.path() + ": input 'x' is ";
      assertEquals(said + "missing; got [ids]", refused.problem());
      Calibration narrow =
          new Calibration(List.of(Map.of("x", Tensor.of(new float[2 * WIDTH - 2], 2, WIDTH - 1))));
      refused =
          assertThrows(
              InputException.class,
              () -> Compressor.compress(model, recipe, narrow, 1, Progress.NONE));
      assertEquals(said + "f32[2, " + (WIDTH - 1) + "]", refused.problem());
      Calibration single = new Calibration(List.of(Map.of("x", inputs(1, 3))));
      refused =
          assertThrows(
              InputException.class,
              () -> Compressor.compress(model, recipe, single, 1, Progress.NONE));
      assertEquals("layer up saw 1 calibration tokens", refused.problem());
      float[] infinite = new float[2 * WIDTH];
      infinite[5] = Float.POSITIVE_INFINITY;
      Calibration broken = new Calibration(List.of(Map.of("x", Tensor.of(infinite, 2, WIDTH))));
      refused =
          assertThrows(
              InputException.class,
              () -> Compressor.compress(model, recipe, broken, 1, Progress.NONE));
      assertEquals("layer up has inputs that are not finite", refused.problem());
    }
    assertEquals(List.of("block.onnx"), files());
  }

  private List<String> files() {
    try (var files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  @Test
  void fewSamplesDeadAndConstantInputsAreSurvivedAndReported() {
    try (Model model = Model.open(model())) {
      float[] x = inputs(20, 4).toFloats();
      for (int i = 0; i < x.length; i++) {
        x[i] = i % WIDTH == 3 ? 0 : i % WIDTH == 4 ? 1 : x[i];
      }
      Calibration few = new Calibration(List.of(Map.of("x", Tensor.of(x, 20, WIDTH))));
      Compression compression =
          Compressor.compress(model, Recipe.named("2:4-sparsegpt"), few, 1, Progress.NONE);
      assertEquals(1, compression.layers().getFirst().calibrated().deadInputs());
      for (Compression.Layer layer : compression.layers()) {
        for (float weight : layer.weights().unpack()) {
          assertTrue(Float.isFinite(weight), layer.matrix().name());
        }
      }
    }
  }
}
