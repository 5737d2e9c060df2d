package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Decoder;
import dev.filigree.DecoderOptions;
import dev.filigree.Decoding;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.graph.ValueInfo;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Small networks of all families, as transformers saves them, and one in many quantised forms,
 * against what transformers computes; {@code families/make-families.py} and {@code
 * quantised/make-quantised.py} made them.
 */
class FamiliesTest {
  private static final double TOLERANCE = 1e-5;

  @TempDir private Path temporary;

  static Stream<Path> folders() throws Exception {
    List<Path> all = new ArrayList<>();
    for (String kind : List.of("families", "quantised")) {
      URI folder = FamiliesTest.class.getResource("/dev/filigree/" + kind).toURI();
      try (Stream<Path> folders = Files.list(Path.of(folder))) {
        folders.filter(Files::isDirectory).sorted().forEach(all::add);
      }
    }
    return all.stream();
  }

  /** Ids, mask and results; results of texts have one row each. */
  private record Case(int texts, int tokens, int features, long[] ids, long[] mask, float[] y) {
    static Case read(Path folder) throws IOException {
      ByteBuffer bytes =
          ByteBuffer.wrap(Files.readAllBytes(folder.resolve("case.bin")))
              .order(ByteOrder.LITTLE_ENDIAN);
      int texts = bytes.getInt();
      int tokens = bytes.getInt();
      int features = bytes.getInt();
      int all = texts * Math.abs(tokens);
      long[] ids = new long[all];
      long[] mask = new long[all];
      float[] y = new float[tokens < 0 ? texts * features : all * features];
      bytes.asLongBuffer().get(ids).get(mask);
      bytes.position(bytes.position() + 2 * all * Long.BYTES);
      bytes.asFloatBuffer().get(y);
      return new Case(texts, tokens, features, ids, mask, y);
    }

    Tensor tokens(long[] values) {
      return Tensor.of(values, texts, Math.abs(tokens));
    }

    /** How far rounding may carry a result: results of some families are larger than others'. */
    double tolerance() {
      float most = 1;
      for (float value : y) {
        most = Math.max(most, Math.abs(value));
      }
      return TOLERANCE * most;
    }

    void assertRow(int row, float[] found, int at) {
      for (int f = 0; f < features; f++) {
        assertEquals(
            y[row * features + f], found[at + f], tolerance(), "row " + row + " feature " + f);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("folders")
  void computesWhatTransformersComputes(Path folder) throws IOException {
    Case wanted = Case.read(folder);
    try (Model model = Model.open(folder)) {
      assertWhole(model, wanted);
      if (isDecoder(model)) {
        assertCached(model, wanted);
      }
    }
  }

  private static boolean isDecoder(Model model) {
    return model.outputs().getFirst().name().equals("logits")
        && Family.DECODERS.isKnown(model.metadata().get(Checkpoint.FAMILY));
  }

  private static void assertWhole(Model model, Case wanted) {
    Map<String, Tensor> inputs = new HashMap<>();
    for (ValueInfo input : model.inputs()) {
      long[] values =
          switch (input.name()) {
            case "input_ids" -> wanted.ids;
            case "attention_mask" -> wanted.mask;
            default -> new long[wanted.ids.length];
          };
      inputs.put(input.name(), wanted.tokens(values));
    }
    try (Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      Map<String, Tensor> made = session.run(inputs);
      float[] found = result(made);
      assertEquals(wanted.y.length, found.length);
      for (int row = 0; row < wanted.y.length / wanted.features; row++) {
        if (wanted.tokens < 0 || wanted.mask[row] == 1) {
          wanted.assertRow(row, found, row * wanted.features);
        }
      }
    }
  }

  /** Begins and ends of answers lie side by side, as features do. */
  private static float[] result(Map<String, Tensor> made) {
    if (!made.containsKey("start_logits")) {
      return Stream.of("logits", "text_embeds", "pooler_output", "last_hidden_state")
          .filter(made::containsKey)
          .findFirst()
          .map(name -> made.get(name).toFloats())
          .orElseThrow();
    }
    float[] begins = made.get("start_logits").toFloats();
    float[] ends = made.get("end_logits").toFloats();
    float[] both = new float[2 * begins.length];
    for (int i = 0; i < begins.length; i++) {
      both[2 * i] = begins[i];
      both[2 * i + 1] = ends[i];
    }
    return both;
  }

  /** The first text token by token, and in two pieces. */
  private static void assertCached(Model model, Case wanted) {
    int length = wanted.tokens;
    long[] ids = Arrays.copyOf(wanted.ids, length);
    // as long as the text: frequencies that follow the length are those of the whole text
    try (Decoder decoder = model.decoder(DecoderOptions.defaults().withLongest(length));
        Decoding single = decoder.start();
        Decoding pieces = decoder.start()) {
      for (int token = 0; token < length; token++) {
        wanted.assertRow(token, single.read(ids[token]), 0);
      }
      wanted.assertRow(4, pieces.read(Arrays.copyOf(ids, 5)), 0);
      wanted.assertRow(length - 1, pieces.read(Arrays.copyOfRange(ids, 5, length)), 0);
    }
  }

  static Stream<Path> someFolders() throws Exception {
    List<String> some =
        List.of(
            "albert",
            "bitsandbytes-nf4",
            "bloom",
            "codegen",
            "cohere-scales",
            "deberta",
            "deberta-v2",
            "deberta-v2-convolution",
            "deberta-v2-convolution-groups",
            "esm-words",
            "falcon-alibi",
            "fp8-blocks",
            "gemma2",
            "gpt2",
            "mixtral",
            "mobilebert-wide",
            "modernbert-decoder",
            "mobilebert-words",
            "phi3",
            "qwen2-moe-some-layers",
            "stablelm-scales");
    return folders().filter(folder -> some.contains(folder.getFileName().toString()));
  }

  static Stream<Path> compressedFolders() throws Exception {
    List<String> more = List.of("apertus", "gpt-oss", "granitemoeshared", "mxfp4", "xglm");
    return Stream.concat(
        someFolders(), folders().filter(folder -> more.contains(folder.getFileName().toString())));
  }

  /** Weights that lie the other way around in a checkpoint, or share one layer, come back too. */
  @ParameterizedTest
  @MethodSource("compressedFolders")
  void isTheSameFromACompressedFile(Path folder) throws IOException {
    Path file = temporary.resolve("model.filigree");
    try (Model model = Model.open(folder)) {
      model.writer().write(file);
    }
    Case wanted = Case.read(folder);
    try (Model model = Model.open(file)) {
      assertWhole(model, wanted);
      if (isDecoder(model)) {
        assertCached(model, wanted);
      }
    }
  }

  /** GPT-2 has its weights the other way around, and so must a folder that is written for it. */
  @ParameterizedTest
  @MethodSource("someFolders")
  void isTheSameFromAFolderThatWasWritten(Path folder) throws IOException {
    try (Model model = Model.open(folder)) {
      CheckpointWriter.write(model, temporary);
    }
    Case wanted = Case.read(folder);
    try (Model model = Model.open(temporary)) {
      assertWhole(model, wanted);
    }
  }

  @Test
  void theRestOfTheWordsOfMobileBertIsWrittenTheWayItIsPublished() throws Exception {
    Path given =
        Path.of(FamiliesTest.class.getResource("/dev/filigree/families/mobilebert-words").toURI());
    try (Model model = Model.open(given);
        Arena arena = Arena.ofConfined()) {
      CheckpointWriter.write(model, temporary);
      String name = "cls.predictions.dense.weight";
      assertEquals(
          SafetensorsFile.map(given.resolve("model.safetensors"), arena)
              .entries()
              .get(name)
              .shape(),
          SafetensorsFile.map(temporary.resolve("model.safetensors"), arena)
              .entries()
              .get(name)
              .shape());
    }
  }

  @Test
  void tokensThatSeeLaterOnesWriteNoText() throws Exception {
    Path given =
        Path.of(FamiliesTest.class.getResource("/dev/filigree/families/gemma3-both-ways").toURI());
    Files.copy(given.resolve("model.safetensors"), temporary.resolve("model.safetensors"));
    String config = Files.readString(given.resolve("config.json"));
    Files.writeString(
        temporary.resolve("config.json"), config.replace("Gemma3TextModel", "Gemma3ForCausalLM"));
    try (Model model = Model.open(temporary)) {
      assertEquals("logits", model.outputs().getFirst().name());
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class, () -> model.decoder(DecoderOptions.defaults()).close());
      assertTrue(refused.getMessage().contains("later ones"), refused.getMessage());
    }
  }

  @Test
  void everyFamilyHasACase() throws Exception {
    TreeSet<String> missing = new TreeSet<>(Family.DECODERS.names());
    missing.addAll(Family.ENCODERS.names());
    missing.addAll(TextPart.networks());
    for (Path folder : folders().toList()) {
      JsonFile config = JsonFile.parse(folder, Files.readAllBytes(folder.resolve("config.json")));
      missing.remove(config.text("model_type").orElseThrow());
      missing.remove(TextPart.configIn(config).text("model_type").orElseThrow());
    }
    // these have tests of their own, or are another family by another name
    missing.removeAll(
        List.of(
            "bert", "camembert", "data2vec-text", "distilbert", "ministral", "mpnet", "roberta"));
    assertTrue(missing.isEmpty(), missing.toString());
  }
}
