package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Decoder;
import dev.filigree.DecoderOptions;
import dev.filigree.Decoding;
import dev.filigree.FiligreeException;
import dev.filigree.Model;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks that read pictures too; their results are those of {@link FamiliesTest}. */
final class TextPartTest {
  private static final long[] TOKENS = {3, 1, 4, 1, 5};

  @TempDir private Path temporary;

  private static Path given(String name) throws Exception {
    return Path.of(TextPartTest.class.getResource("/dev/filigree/families/" + name).toURI());
  }

  private Path changed(String name, String text, String by) throws Exception {
    String config = Files.readString(given(name).resolve("config.json"));
    assertTrue(config.contains(text), text);
    Files.writeString(temporary.resolve("config.json"), config.replace(text, by));
    Files.copy(given(name).resolve("model.safetensors"), temporary.resolve("model.safetensors"));
    return temporary;
  }

  private static float[] last(Path folder) {
    try (Model model = Model.open(folder);
        Decoder decoder = model.decoder(DecoderOptions.defaults());
        Decoding decoding = decoder.start()) {
      return decoding.read(TOKENS);
    }
  }

  @Test
  void whatIsLeftOutIsNamed() throws Exception {
    try (Model model = Model.open(given("llava-next"))) {
      assertEquals(
          "image_newline, multi_modal_projector, vision_tower",
          model.metadata().get(Checkpoint.LEFT_OUT));
      assertEquals("mistral", model.metadata().get(Checkpoint.FAMILY));
      assertTrue(
          model.constants().keySet().stream().noneMatch(name -> name.contains("vision")),
          model.constants().keySet().toString());
    }
  }

  @ParameterizedTest
  @CsvSource({"mistral3, mistral, false", "llava-onevision, qwen2, true"})
  void aFolderThatIsWrittenHoldsTheLanguageModelAlone(String name, String family, boolean tied)
      throws Exception {
    try (Model model = Model.open(given(name))) {
      CheckpointWriter.write(model, temporary);
    }
    JsonFile config = JsonFile.read(temporary.resolve("config.json"));
    assertEquals(family, config.text("model_type").orElseThrow());
    assertEquals(tied, config.flag("tie_word_embeddings", !tied));
    assertArrayEquals(last(given(name)), last(temporary));
  }

  /** As in transformers, which ties no weights that a checkpoint has apart. */
  @ParameterizedTest
  @ValueSource(strings = {"mistral3", "llama-llama3"})
  void aHeadThatIsThereIsNoTable(String name) throws Exception {
    String tied = "\"tie_word_embeddings\": ";
    Path folder = changed(name, tied + "false", tied + "true");
    assertArrayEquals(last(given(name)), last(folder));
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.language_model.", "model."})
  void itsNamesMayBeginInOtherWays(String other) throws Exception {
    String published = "language_model.model.";
    Files.copy(given("llava").resolve("config.json"), temporary.resolve("config.json"));
    SafetensorsWriter writer = new SafetensorsWriter();
    try (Arena arena = Arena.ofConfined()) {
      Map<String, SafetensorsFile.Entry> entries =
          SafetensorsFile.map(given("llava").resolve("model.safetensors"), arena).entries();
      assertTrue(entries.keySet().stream().anyMatch(name -> name.startsWith(published)));
      entries.forEach(
          (name, entry) ->
              writer.add(
                  name.startsWith(published)
                      ? other + name.substring(published.length())
                      : name.replace("language_model.lm_head", "lm_head"),
                  entry.tensor()));
      writer.write(temporary.resolve("model.safetensors"));
    }
    assertArrayEquals(last(given("llava")), last(temporary));
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "llava, \"model_type\": \"llama\", \"model_type\": \"granite\", `are llama, mistral`",
        "llava, \"text_config\", \"language_config\", does not say 'text_config'",
        "llava, LlavaForConditionalGeneration, LlavaForSequenceClassification, whose head",
        "llava, \"model_type\": \"llava\", \"model_type\": \"llama4\", by name are llama",
        "llava, \"model_type\": \"llava\", \"model_type\": \"mllama\", the language models of",
        "ministral3, llama_4_scaling_beta, other_beta, llama_4_scaling_beta",
        "dots1, \"topk_group\": 2, \"topk_group\": 4, topk_group",
        "dots1, \"n_group\": 3, \"n_group\": 4, n_group",
        "new, \"logn_attention_scale\": false, \"logn_attention_scale\": true,"
            + " logn_attention_scale",
        "new, \"rope_scaling\": null, `\"rope_scaling\": {\"type\": \"other\"}`, by 'other'",
        "hunyuan-dense, \"rope_type\": \"default\", \"rope_type\": \"ntk\", by 'ntk'",
      })
  void whatIsNotReadIsRefusedByName(String name, String text, String by, String named)
      throws Exception {
    Path folder = changed(name, text, by);
    FiligreeException refused =
        assertThrows(FiligreeException.class, () -> Model.open(folder).close());
    assertTrue(refused.getMessage().contains(named), refused.getMessage());
  }
}
