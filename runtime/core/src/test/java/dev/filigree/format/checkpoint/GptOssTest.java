package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.FiligreeException;
import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsWriter;
import dev.filigree.graph.Constant;
import dev.filigree.weights.Packed;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is special about gpt-oss, beside its results: see {@link FamiliesTest} for these. */
final class GptOssTest {
  private static final float[] VALUES = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  private static final String EXPERTS = "model.layers.1.mlp.experts.";

  @TempDir private Path temporary;

  private static Path given(String name) throws Exception {
    return Path.of(GptOssTest.class.getResource("/dev/filigree/quantised/" + name).toURI());
  }

  /** A folder with another text in its config, and other tensors. */
  private Path changed(
      String text, String by, BiFunction<String, SafetensorsFile.Entry, Tensor> tensors)
      throws Exception {
    Path from = given("mxfp4");
    String config = Files.readString(from.resolve("config.json"));
    assertTrue(config.contains(text), text);
    Files.writeString(temporary.resolve("config.json"), config.replaceFirst(text, by));
    SafetensorsWriter writer = new SafetensorsWriter();
    try (Arena arena = Arena.ofConfined()) {
      SafetensorsFile.map(from.resolve("model.safetensors"), arena)
          .entries()
          .forEach((name, entry) -> writer.add(name, tensors.apply(name, entry)));
      writer.write(temporary.resolve("model.safetensors"));
    }
    return temporary;
  }

  @Test
  void weightsOfFourBitsKeepTheirValues() throws Exception {
    try (Model model = Model.open(given("mxfp4"));
        Arena arena = Arena.ofConfined()) {
      Map<String, SafetensorsFile.Entry> file =
          SafetensorsFile.map(given("mxfp4").resolve("model.safetensors"), arena).entries();
      MemorySegment blocks = file.get(EXPERTS + "down_proj_blocks").data();
      MemorySegment scales = file.get(EXPERTS + "down_proj_scales").data();
      Constant constant = model.constants().get(EXPERTS + "2.down_proj.weight");
      Weights weights = ((Constant.Compressed) constant).weights();
      assertTrue(weights instanceof Packed, weights.toString());
      float[] found = weights.unpack();
      assertEquals(64 * 32, found.length);
      for (int row = 0; row < 64; row++) {
        int group = 2 * 64 + row;
        double scale = Math.pow(2, (scales.get(DType.BYTE, group) & 0xff) - 127);
        for (int i = 0; i < 32; i++) {
          int pair = blocks.get(DType.BYTE, group * 16L + i / 2) & 0xff;
          int code = i % 2 == 0 ? pair & 15 : pair >> 4;
          double value = VALUES[code & 7] * scale * (code < 8 ? 1 : -1);
          assertEquals(value, found[row * 32 + i], 0.0, "row " + row + " column " + i);
        }
      }
      assertEquals("dense 17, mxfp4 12", model.metadata().get(Checkpoint.FORMS));
    }
  }

  @Test
  void aScaleThatIsNoNumberIsRefused() throws Exception {
    Path folder =
        changed(
            "gpt_oss",
            "gpt_oss",
            (name, entry) -> {
              byte[] bytes = entry.data().toArray(DType.BYTE);
              if (name.equals(EXPERTS + "gate_up_proj_scales")) {
                bytes[0] = (byte) 255;
              }
              return Tensor.of(entry.tensor().dtype(), entry.shape(), MemorySegment.ofArray(bytes));
            });
    FormatException refused = assertThrows(FormatException.class, () -> Model.open(folder).close());
    assertTrue(refused.getMessage().contains(EXPERTS + "0.gate_up_proj"), refused.getMessage());
    assertTrue(refused.getMessage().contains("NaN"), refused.getMessage());
  }

  @Test
  void blocksWithoutScalesAreRefused() throws Exception {
    Path folder =
        changed(
            "gpt_oss",
            "gpt_oss",
            (name, entry) ->
                name.equals(EXPERTS + "down_proj_scales")
                    ? Tensor.of(DType.U8, Shape.of(3, 32, 2), entry.data())
                    : entry.tensor());
    FormatException refused = assertThrows(FormatException.class, () -> Model.open(folder).close());
    assertTrue(refused.getMessage().contains("[64, 1] is expected"), refused.getMessage());
  }

  @ParameterizedTest
  @CsvSource({
    "'\"num_local_experts\": 3', '\"num_local_experts\": 4', 4 experts",
    "'\"hidden_act\"', '\"swiglu_limit\": 5.0, \"hidden_act\"', swiglu_limit",
    "'\"num_experts_per_tok\": 2', '\"num_experts_per_tok\": 7', 7 of 3 experts",
  })
  void aConfigThatDoesNotFitIsRefused(String text, String by, String named) throws Exception {
    Path folder = changed(text, by, (name, entry) -> entry.tensor());
    FiligreeException refused =
        assertThrows(FiligreeException.class, () -> Model.open(folder).close());
    assertTrue(refused.getMessage().contains(named), refused.getMessage());
  }

  @Test
  void chosenExpertsAloneAreComputed() throws Exception {
    try (Model model = Model.open(given("mxfp4"));
        Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      Shape shape = Shape.of(1, 6);
      String plan = session.plan(Map.of("input_ids", shape, "attention_mask", shape)).toString();
      assertTrue(plan.contains("of 3 experts those that tokens chose, 2 for each"), plan);
    }
  }

  @Test
  void aSinkTakesShares() throws Exception {
    long[] tokens = {3, 1, 4};
    float[] before;
    try (Model model = Model.open(given("mxfp4"))) {
      before = logits(model, tokens);
    }
    Path folder =
        changed(
            "gpt_oss",
            "gpt_oss",
            (name, entry) ->
                name.endsWith("sinks")
                    ? Tensor.of(new float[] {-1e30f, -1e30f, -1e30f, -1e30f}, 4)
                    : entry.tensor());
    try (Model model = Model.open(folder)) {
      float[] without = logits(model, tokens);
      assertArrayEquals(before, logits(Model.open(given("mxfp4")), tokens));
      double most = 0;
      for (int i = 0; i < before.length; i++) {
        assertTrue(Float.isFinite(without[i]));
        most = Math.max(most, Math.abs(before[i] - without[i]));
      }
      assertTrue(most > 0.01, "sinks change results by " + most);
    }
  }

  private static float[] logits(Model model, long[] tokens) {
    Map<String, Tensor> inputs =
        Map.of(
            "input_ids", Tensor.of(tokens, 1, tokens.length),
            "attention_mask", Tensor.of(new long[] {1, 1, 1}, 1, tokens.length));
    try (Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      return session.run(inputs).get("logits").toFloats();
    }
  }

  @Test
  void noFolderIsWritten() throws Exception {
    try (Model model = Model.open(given("mxfp4"))) {
      UnsupportedException refused =
          assertThrows(UnsupportedException.class, () -> CheckpointWriter.write(model, temporary));
      assertTrue(refused.getMessage().contains("write a .filigree file"), refused.getMessage());
    }
  }
}
