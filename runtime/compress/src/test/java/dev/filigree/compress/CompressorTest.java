package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.WeightsException;
import dev.filigree.testing.Floats;
import dev.filigree.testing.OnnxModel;
import dev.filigree.testing.Samples;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Packed;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A table and two linear layers, one of which has a K that is no multiple of 4. */
class CompressorTest {
  private static final int TOKENS = 40;
  private static final int WIDTH = 24;
  private static final int HIDDEN = 30;
  private static final SessionOptions SCALAR =
      SessionOptions.defaults().withKernels("scalar").withThreads(1);

  @TempDir private Path folder;

  private Path model(float[] first) {
    Samples samples = new Samples(5);
    return new OnnxModel(13)
        .input("ids", DType.I64, "batch", "length")
        .initializer("table.weight", Tensor.of(samples.normal(TOKENS * WIDTH), TOKENS, WIDTH))
        .initializer("first.weight", Tensor.of(first, WIDTH, HIDDEN))
        .initializer("second.weight", Tensor.of(samples.normal(HIDDEN * 10), HIDDEN, 10))
        .node("Gather", "x", "table.weight", "ids")
        .node("MatMul", "h", "x", "first.weight")
        .node("Relu", "r", "h")
        .node("MatMul", "y", "r", "second.weight")
        .output("y", DType.F32, "batch", "length", "10")
        .write(folder.resolve("small.onnx"));
  }

  private Path model() {
    return model(new Samples(4).normal(WIDTH * HIDDEN));
  }

  private static float[] run(Model model) {
    long[] ids = new long[12];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = i * 7 % TOKENS;
    }
    try (Session session = model.session(SCALAR)) {
      return session.run(Map.of("ids", Tensor.of(ids, 2, 6))).get("y").toFloats();
    }
  }

  private static Compression compress(Model model, String recipe) {
    return Compressor.compress(model, Recipe.named(recipe), 2, Progress.NONE);
  }

  static List<String> names() {
    return RecipeTest.names();
  }

  @ParameterizedTest
  @MethodSource("names")
  void theFileRunsAsTheModelInMemoryDoesBitForBit(String recipe) throws IOException {
    Path input = model();
    byte[] before = Files.readAllBytes(input);
    Path output = folder.resolve("out.filigree");
    try (Model model = Model.open(input)) {
      float[] original = run(model);
      Compression compression = compress(model, recipe);
      compression.write(output);
      try (Model inMemory = compression.toModel();
          Model reopened = Model.open(output)) {
        float[] compressed = run(inMemory);
        Floats.assertSameBits(compressed, run(reopened));
        assertEquals(
            Recipe.named(recipe),
            RecipeJson.parse("file", reopened.metadata().get(Compression.RECIPE)));
        for (int i = 0; i < compression.layers().size(); i++) {
          Weights expected = compression.layers().get(i).weights();
          Weights stored = reopened.matrices().get(i).weights();
          assertEquals(expected.format(), stored.format());
          Floats.assertSameBits(expected.unpack(), stored.unpack());
        }
      }
      // the model that was compressed is as it was
      Floats.assertSameBits(original, run(model));
    }
    assertEquals(-1, Arrays.mismatch(before, Files.readAllBytes(input)));
  }

  @ParameterizedTest
  @MethodSource("names")
  void bytesArePredictedBeforeAnythingIsDone(String name) {
    try (Model model = Model.open(model())) {
      Prediction prediction = Prediction.of(model, Recipe.named(name));
      List<Compression.Layer> layers = compress(model, name).layers();
      for (int i = 0; i < layers.size(); i++) {
        Weights weights = layers.get(i).weights();
        assertEquals(weights.bytes(), prediction.matrices().get(i).bytes(), weights.format());
        assertEquals(weights.bytes(), WeightBytes.of(weights).total(), weights.format());
        assertEquals(layers.get(i).changed(), !prediction.matrices().get(i).steps().isEmpty());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"prune\": {\"mask_structure\": \"1:4\"}}, {\"quantize\": {\"bits\": 8}}",
        "{\"prune\": {\"mask_structure\": \"3:7\"}}, {\"share\": {\"bits\": 2}}",
        "{\"prune\": {\"mask_structure\": \"unstructured\", \"sparsity\": 0.6, \"scope\":"
            + " \"row\"}},{\"quantize\": {\"strategy\": \"tensor\"}}",
        "{\"prune\": {}}, {\"quantize\": {\"bits\": 4, \"strategy\": \"group\", \"group_size\":"
            + " 8}}",
        "{\"prune\": {}}, {\"quantize\": {\"bits\": 3}}",
        "{\"quantize\": {\"bits\": 3, \"strategy\": \"tensor\", \"observer\": \"mse\"}}",
        "{\"quantize\": {\"bits\": 8, \"strategy\": \"group\", \"group_size\": 16}}",
        "{\"share\": {\"bits\": 4, \"granularity\": \"tensor\", \"solver\": \"linear\"}}",
      })
  void structuresAndEncodingsCombineOnDiskAndInMemory(String stages) {
    Recipe recipe =
        RecipeJson.parse("r", "{\"version\": 1, \"name\": \"r\", \"stages\": [" + stages + "]}");
    assertEquals(recipe, RecipeJson.parse("again", RecipeJson.write(recipe)));
    Path output = folder.resolve("out.filigree");
    try (Model model = Model.open(model())) {
      Compression compression = Compressor.compress(model, recipe, 2, Progress.NONE);
      compression.write(output);
      Prediction prediction = Prediction.of(model, recipe);
      for (int i = 0; i < 3; i++) {
        Weights weights = compression.layers().get(i).weights();
        weights.validate("layer " + i);
        assertEquals(weights.bytes(), prediction.matrices().get(i).bytes(), weights.format());
        // a weight that was pruned is exactly zero in every encoding
        float[] values = weights.unpack();
        for (int j = 0; j < values.length; j++) {
          int columns = weights.columns();
          assertTrue(weights.keeps(j / columns, j % columns) || values[j] == 0);
        }
      }
      try (Model inMemory = compression.toModel();
          Model reopened = Model.open(output)) {
        Floats.assertSameBits(run(inMemory), run(reopened));
      }
    }
  }

  @Test
  void aGlobalThresholdTakesMoreWhereWeightsAreSmall() {
    float[] small = new Samples(4).normal(WIDTH * HIDDEN);
    for (int i = 0; i < small.length; i++) {
      small[i] *= 0.2f;
    }
    Recipe recipe =
        RecipeJson.parse(
            "r",
            "{\"version\": 1, \"stages\": [{\"prune\": {\"mask_structure\": \"unstructured\","
                + " \"sparsity\": 0.5, \"scope\": \"global\"}}]}");
    try (Model model = Model.open(model(small))) {
      List<Compression.Layer> layers =
          Compressor.compress(model, recipe, 1, Progress.NONE).layers();
      Weights first = layers.get(1).weights();
      Weights second = layers.get(2).weights();
      assertTrue(first.density() < second.density(), first.density() + " " + second.density());
      long all = WIDTH * HIDDEN + HIDDEN * 10;
      assertEquals(all - Math.round(all * 0.5), first.stored() + second.stored());
    }
  }

  @Test
  void recipesCombineStructureAndEncoding() {
    try (Model model = Model.open(model())) {
      assertForms(model, "dense", Dense.class, "dense f32", "dense f32");
      assertForms(model, "fp16", Dense.class, "dense f16", "dense f16");
      assertForms(model, "int8", Quantized.class, "int8", "int8");
      assertForms(model, "int4", Packed.class, "int4", "int8");
      assertForms(model, "2:4", Sparse24.class, "2:4 f32", "dense f32");
      assertForms(model, "2:4-fp16", Sparse24.class, "2:4 f16", "dense f16");
      assertForms(model, "2:4-int8", Sparse24.class, "2:4 int8", "int8");
      assertForms(model, "codebook-4bit", Codebook.class, "codebook-4bit", "int8");
      assertForms(model, "2:4-codebook-4bit", Sparse24.class, "2:4 codebook-4bit", "int8");
      assertForms(model, "unstructured-80", SparseCsr.class, "unstructured f32", "dense f32");
    }
  }

  private static void assertForms(
      Model model, String recipe, Class<?> form, String linear, String table) {
    List<Compression.Layer> layers = compress(model, recipe).layers();
    assertEquals(3, layers.size());
    for (Compression.Layer layer : layers) {
      boolean isTable = layer.matrix().name().equals("table");
      assertEquals(isTable ? table : linear, layer.weights().format(), layer.matrix().name());
      if (!isTable) {
        assertInstanceOf(form, layer.weights());
      }
      layer.weights().validate(layer.matrix().name());
    }
  }

  @Test
  void theReportAddsUpBytesBitsAndErrors() {
    try (Model model = Model.open(model())) {
      Compression compression = compress(model, "2:4");
      long weights = TOKENS * WIDTH + WIDTH * HIDDEN + HIDDEN * 10;
      assertEquals(4 * weights, compression.bytesBefore());
      // of a row of 24 weights 12 stay and 3 bytes of mask; of one of 30 padded to 32 16 and 4
      long after = 4 * TOKENS * WIDTH + HIDDEN * (12 * 4 + 3) + 10 * (16 * 4 + 4);
      assertEquals(after, compression.bytesAfter());
      assertEquals(8.0 * after / weights, compression.bitsPerWeight(), 1e-12);
      for (Compression.Layer layer : compression.layers()) {
        float[] original = layer.matrix().weights().unpack();
        float[] now = layer.weights().unpack();
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < now.length; i++) {
          difference += Math.pow(original[i] - now[i], 2);
          norm += Math.pow(original[i], 2);
        }
        assertEquals(Math.sqrt(difference / norm), layer.weightError(), 1e-12);
        assertEquals(!layer.matrix().name().equals("table"), layer.changed());
        assertEquals(layer.changed(), layer.weightError() > 0.1);
      }
      assertEquals(0, compress(model, "dense").layers().get(1).weightError());
      assertTrue(compress(model, "int8").layers().get(1).weightError() < 0.01);
    }
  }

  @Test
  void prunedWeightsStayZeroUnderACodebook() {
    try (Model model = Model.open(model())) {
      for (Compression.Layer layer : compress(model, "2:4-codebook-4bit").layers()) {
        if (layer.weights() instanceof Sparse24 sparse) {
          float[] row = new float[sparse.columns()];
          for (int r = 0; r < sparse.rows(); r++) {
            sparse.unpackRow(r, row, 0);
            for (int start = 0; start + 4 <= row.length; start += 4) {
              int zeros = 0;
              for (int c = start; c < start + 4; c++) {
                zeros += row[c] == 0 ? 1 : 0;
              }
              assertEquals(2, zeros, layer.matrix().name() + " row " + r + " column " + start);
            }
          }
        }
      }
    }
  }

  @Test
  void weightsThatAreNotFiniteAreRefusedWithLayerAndPlace() {
    for (float bad : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
      float[] first = new Samples(4).normal(WIDTH * HIDDEN);
      // [in, out] in the file: input 2 of output 5
      first[2 * HIDDEN + 5] = bad;
      first[9 * HIDDEN + 7] = bad;
      try (Model model = Model.open(model(first))) {
        WeightsException refused =
            assertThrows(WeightsException.class, () -> compress(model, "int8"));
        assertEquals(
            "layer first has 2 weights that are not finite, the first is "
                + bad
                + " in row 5, column 2",
            refused.problem());
      }
    }
  }

  @Test
  void negativeZeroIsAWeightLikeZero() {
    float[] first = new float[WIDTH * HIDDEN];
    Arrays.fill(first, -0f);
    first[0] = 1;
    try (Model model = Model.open(model(first))) {
      for (String recipe : names()) {
        try (Model compressed = compress(model, recipe).toModel()) {
          for (float value : run(compressed)) {
            assertTrue(Float.isFinite(value));
          }
        }
      }
    }
  }

  @Test
  void targetsChooseLayersByKindNameAndExpression() {
    assertChanged(List.of("Linear"), List.of(), "first", "second");
    assertChanged(List.of("Embedding"), List.of(), "table");
    assertChanged(List.of("second", "Embedding"), List.of(), "second", "table");
    assertChanged(List.of("re:.*s.*"), List.of("re:sec.*"), "first");
  }

  private void assertChanged(List<String> targets, List<String> ignore, String... layers) {
    try (Model model = Model.open(model())) {
      Stage stage = new Stage.Quantize(8, new Targets(targets, ignore));
      Compression compression =
          Compressor.compress(model, new Recipe("test", List.of(stage)), 1, Progress.NONE);
      List<String> changed =
          compression.layers().stream()
              .filter(Compression.Layer::changed)
              .map(layer -> layer.matrix().name())
              .sorted()
              .toList();
      assertEquals(List.of(layers), changed);
    }
  }

  @Test
  void stagesThatContradictEachOtherAreRefused() {
    Stage prune = new Stage.Prune(Stage.Score.MAGNITUDE, Structure.TWO_OF_FOUR, Targets.LINEAR);
    Stage sparse =
        new Stage.Prune(Stage.Score.MAGNITUDE, new Structure.Unstructured(0.5), Targets.LINEAR);
    Stage int8 = new Stage.Quantize(8, Targets.LINEAR);
    Stage share = new Stage.Share(4, true, Targets.LINEAR);
    Stage nobody = new Stage.Quantize(8, new Targets(List.of("third"), null));
    assertRefused("recipe 'test' prunes layer first twice", prune, sparse);
    assertRefused("recipe 'test' encodes layer first twice", int8, share);
    assertRefused("recipe 'test' prunes layer first after its values were encoded", int8, prune);
    Stage groups =
        new Stage.Quantize(
            new Encoding.Integers(4, Encoding.Granularity.GROUP, 8, false),
            Stage.Rounding.NEAREST,
            false,
            false,
            Stage.DAMPING,
            Targets.LINEAR);
    assertRefused(
        "recipe 'test' prunes layer first to unstructured and writes it as int4, which no layer can"
            + " be at once",
        sparse,
        groups);
    Stage wide =
        new Stage.Prune(Stage.Score.MAGNITUDE, new Structure.Groups(2, 32), Targets.LINEAR);
    assertRefused("layer first has 24 inputs, fewer than the 32 of a 2:32 group", wide);
    Stage wanda = new Stage.Prune(Stage.Score.WANDA, Structure.TWO_OF_FOUR, Targets.LINEAR);
    assertRefused("recipe 'test' learns from samples and got none", wanda);
    Stage tables = new Stage.Prune(Stage.Score.WANDA, Structure.TWO_OF_FOUR, Targets.EMBEDDING);
    assertRefused("recipe 'test' calibrates table, a table whose rows are looked up", tables);
    assertRefused("the targets [third] of recipe 'test' fit no layer of ", nobody);
    Stage spared = new Stage.Quantize(8, new Targets(List.of("Linear"), List.of("frist")));
    assertRefused("the entries [frist] of 'ignore' of recipe 'test' fit no layer of ", spared);
  }

  private void assertRefused(String problem, Stage... stages) {
    try (Model model = Model.open(model())) {
      Recipe recipe = new Recipe("test", List.of(stages));
      FiligreeException refused =
          assertThrows(
              InputException.class, () -> Compressor.compress(model, recipe, 2, Progress.NONE));
      assertTrue(refused.problem().startsWith(problem), refused.problem());
    }
  }

  @Test
  void aCompressedModelIsNotCompressedAgain() {
    Path output = folder.resolve("once.filigree");
    try (Model model = Model.open(model())) {
      compress(model, "2:4").write(output);
    }
    try (Model once = Model.open(output)) {
      WeightsException refused = assertThrows(WeightsException.class, () -> compress(once, "int8"));
      assertEquals("layer first is 2:4 f32 already", refused.problem());
      assertEquals("compress the original model", refused.remedy());
    }
  }

  @Test
  void theModelInMemoryOutlivesTheOneItWasMadeFrom() {
    Model compressed;
    float[] expected;
    try (Model model = Model.open(model())) {
      compressed = compress(model, "2:4").toModel();
      expected = run(compressed);
    }
    try (compressed) {
      Floats.assertSameBits(expected, run(compressed));
    }
    assertThrows(IllegalStateException.class, () -> run(compressed));
  }

  @Test
  void progressHearsOfEveryLayerAndThreadsChangeNothing() {
    try (Model model = Model.open(model())) {
      List<String> heard = new ArrayList<>();
      Progress progress = (task, done, total) -> heard.add(task + " " + done + "/" + total);
      Recipe recipe = Recipe.named("2:4-codebook-4bit");
      Compression alone = Compressor.compress(model, recipe, 1, progress);
      assertEquals(List.of("compressing 1/3", "compressing 2/3", "compressing 3/3"), heard);
      Compression together = Compressor.compress(model, recipe, 3, Progress.NONE);
      for (int i = 0; i < 3; i++) {
        Floats.assertSameBits(
            alone.layers().get(i).weights().unpack(), together.layers().get(i).weights().unpack());
      }
      InputException refused =
          assertThrows(InputException.class, () -> Compressor.compress(model, recipe, 0, progress));
      assertEquals("option threads is 0; choose 1 or more", refused.getMessage());
    }
  }

  @Test
  void anInterruptEndsTheWork() {
    try (Model model = Model.open(model())) {
      Thread.currentThread().interrupt();
      IllegalStateException ended =
          assertThrows(IllegalStateException.class, () -> compress(model, "codebook-4bit"));
      assertTrue(ended.getMessage().endsWith("was interrupted"), ended.getMessage());
      assertTrue(Thread.interrupted());
      assertFalse(Thread.currentThread().isInterrupted());
    }
  }
}
