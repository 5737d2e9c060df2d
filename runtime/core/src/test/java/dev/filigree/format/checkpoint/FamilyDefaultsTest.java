package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * Configs that say their family alone mean what they mean to transformers; {@code
 * families/make-defaults.py} wrote that down.
 */
class FamilyDefaultsTest {
  private static JsonFile expected() throws Exception {
    try (InputStream in =
        FamilyDefaultsTest.class.getResourceAsStream("/dev/filigree/families/defaults.json")) {
      return JsonFile.parse(Path.of("defaults.json"), in.readAllBytes());
    }
  }

  static Stream<String> families() throws Exception {
    return List.copyOf(expected().node().propertyNames()).stream();
  }

  private static JsonFile config(String family, String more) {
    String text = "{\"model_type\": \"" + family + "\"" + more + "}";
    return JsonFile.parse(Path.of("config.json"), text.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @MethodSource("families")
  void aConfigThatSaysItsFamilyAlone(String family) throws Exception {
    JsonNode wanted = expected().node().get(family);
    // what only decoders have
    Optional<Boolean> tied = Optional.empty();
    List<Number> extents;
    double epsilon;
    String activation;
    AttentionShape shape;
    if (Family.DECODERS.isKnown(family)) {
      DecoderConfig read = DecoderConfig.read(family, config(family, ""));
      extents = extents(read.layers(), read.hidden(), read.wide(), read.vocabulary());
      epsilon = read.epsilon();
      activation = read.activation();
      tied = Optional.of(read.tied());
      shape = read;
    } else {
      EncoderConfig read = EncoderConfig.read(family, config(family, ""));
      extents = extents(read.layers(), read.hidden(), read.wide(), read.vocabulary());
      epsilon = read.epsilon();
      activation = read.activation();
      shape = read;
    }
    List<String> keys = List.of("layers", "hidden", "wide", "vocabulary");
    for (int i = 0; i < keys.size(); i++) {
      // ESM's configs must say their vocabulary
      if (!wanted.get(keys.get(i)).isNull()) {
        assertEquals(number(wanted, keys.get(i)), extents.get(i), keys.get(i));
      }
    }
    assertEquals(number(wanted, "heads"), shape.heads());
    assertEquals(number(wanted, "keys"), shape.keyHeads());
    assertEquals(number(wanted, "width"), shape.width());
    if (!wanted.get("activation").isNull()) {
      assertEquals(wanted.get("activation").stringValue(), activation);
    }
    if (!wanted.get("tied").isNull()) {
      tied.ifPresent(found -> assertEquals(wanted.get("tied").booleanValue(), found));
    }
    if (!wanted.get("epsilon").isNull()) {
      assertEquals(wanted.get("epsilon").doubleValue(), epsilon);
    }
    if (!wanted.get("theta").isNull()) {
      assertTheta(wanted.get("theta").doubleValue(), shape.ropes().getFirst());
    }
    JsonFile known = shape.family().config();
    assertEquals(given(wanted, "padding"), known.number("pad_token_id", 0, Integer.MAX_VALUE));
    if (!wanted.get("positions").isNull()) {
      assertEquals(given(wanted, "positions"), known.number("max_position_embeddings", 1, 1 << 24));
    }
  }

  private static List<Number> extents(Integer... all) {
    return new ArrayList<>(List.of(all));
  }

  private static int number(JsonNode wanted, String key) {
    return wanted.get(key).intValue();
  }

  private static Optional<Integer> given(JsonNode wanted, String key) {
    return wanted.get(key).isNull() ? Optional.empty() : Optional.of(number(wanted, key));
  }

  /** The second frequency tells the base. */
  private static void assertTheta(double theta, Rope rope) {
    assertEquals((float) Math.pow(theta, -2.0 / rope.turned()), rope.base()[1], 1e-7);
  }

  @Test
  void everyFamilyHasDefaults() throws Exception {
    TreeSet<String> missing = new TreeSet<>(Family.DECODERS.names());
    missing.addAll(Family.ENCODERS.names());
    missing.removeAll(families().toList());
    // a network of GLM-4-MoE's defaults would turn 21 features of a head, one of Granite's hybrid
    // has layers of another kind, and transformers has no 'new'
    missing.removeAll(List.of("glm4_moe", "granitemoehybrid", "new"));
    assertEquals(new TreeSet<>(), missing);
  }

  @Test
  void layersOfGptNeoThatAreSaidShortly() {
    String types = ", \"num_layers\": 4, \"attention_types\": [[[\"global\", \"local\"], 2]]";
    List<LayerKind> kinds = DecoderConfig.read("gpt_neo", config("gpt_neo", types)).kinds();
    assertEquals(List.of(0, 256, 0, 256), kinds.stream().map(LayerKind::window).toList());
  }

  @Test
  void theFunctionOfT5IsThatOfItsFeedForwardProjection() {
    String gated = ", \"feed_forward_proj\": \"gated-silu\"";
    EncoderConfig read = EncoderConfig.read("t5", config("t5", gated));
    assertEquals("silu", read.activation());
    assertEquals(Family.Feed.GATED, read.family().feed());
  }

  private static List<Integer> windows(String family, String more) {
    String layers = ", \"num_hidden_layers\": 4, \"sliding_window\": 7";
    List<LayerKind> kinds = DecoderConfig.read(family, config(family, layers + more)).kinds();
    return kinds.stream().map(LayerKind::window).toList();
  }

  @Test
  void aWindowOfAllLayersKeepsNoListOfTypes() {
    String types =
        """
        , "layer_types": ["full_attention", "sliding_attention", "sliding_attention",
          "full_attention"], "max_window_layers": 2\
        """;
    for (String family : List.of("mistral", "phi3", "starcoder2")) {
      assertEquals(List.of(7, 7, 7, 7), windows(family, types), family);
    }
    assertEquals(List.of(0, 7, 7, 0), windows("ministral", types));
    assertEquals(List.of(7, 7, 7, 7), windows("ministral", ", \"max_window_layers\": 2"));
  }

  @Test
  void aWindowOfModernBertsDecoderIsHalfOfItsLocalAttention() {
    String about = ", \"local_attention\": 10, \"global_attn_every_n_layers\": ";
    assertEquals(List.of(0, 5, 5, 0), windows("modernbert-decoder", about + 3));
    assertEquals(List.of(0, 5, 0, 5), windows("modernbert-decoder", about + 2));
  }

  @Test
  void aWindowOfQwen2MoeIsThatOfEverySecondLayerBelowANumber() {
    String slides = ", \"use_sliding_window\": true, \"max_window_layers\": ";
    assertEquals(List.of(7, 0, 7, 0), windows("qwen2_moe", slides + 28));
    assertEquals(List.of(7, 0, 0, 0), windows("qwen2_moe", slides + 2));
    String types =
        """
        , "layer_types": ["full_attention", "sliding_attention", "sliding_attention",
          "full_attention"]\
        """;
    assertEquals(List.of(0, 7, 7, 0), windows("qwen2_moe", slides + 2 + types));
    assertEquals(List.of(0, 0, 0, 0), windows("qwen2_moe", types));
  }

  @Test
  void aWindowOfSmolLm3IsThatOfLayersThatTurnNothing() {
    String slides = ", \"max_window_layers\": 28, \"use_sliding_window\": true";
    assertEquals(List.of(0, 0, 0, 7), windows("smollm3", slides));
    String listed = ", \"no_rope_layers\": [0, 1, 0, 1]";
    assertEquals(List.of(7, 0, 7, 0), windows("smollm3", slides + listed));
    assertEquals(List.of(0, 0, 0, 0), windows("smollm3", listed));
  }

  @Test
  void gemmasReadTheFunctionUnderTheirOwnNameAlone() {
    String act = ", \"hidden_act\": \"silu\"";
    String both = act + ", \"hidden_activation\": \"relu\"";
    assertEquals("silu", DecoderConfig.read("gemma", config("gemma", both)).activation());
    for (String family : List.of("gemma2", "gemma3_text")) {
      assertEquals("relu", DecoderConfig.read(family, config(family, both)).activation());
      assertEquals(
          "gelu_pytorch_tanh", DecoderConfig.read(family, config(family, act)).activation());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"\"alibi\": false", "\"attn_type\": \"multiquery_attention\"", "\"qk_ln\": true"})
  void attentionOfMptThatIsNotComputed(String member) {
    String more = ", \"attn_config\": {" + member + "}";
    UnsupportedException refused =
        assertThrows(
            UnsupportedException.class, () -> DecoderConfig.read("mpt", config("mpt", more)));
    String key = member.substring(1, member.indexOf('"', 1));
    assertTrue(refused.getMessage().contains("'" + key + "'"), refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "0.0", "null"})
  void mptClipsNothingToZero(String clip) {
    String more = ", \"attn_config\": {\"clip_qkv\": " + clip + "}";
    assertEquals(0, DecoderConfig.read("mpt", config("mpt", more)).clip());
  }

  @Test
  void kindsOfScoresThatDebertaNames() {
    String names = ", \"pos_att_type\": \"C2P | p2c|p2p\", \"relative_attention\": true";
    EncoderConfig later = EncoderConfig.read("deberta-v2", config("deberta-v2", names));
    assertEquals(List.of("c2p", "p2c"), later.relativeKinds());
    assertEquals(1 / Math.sqrt(3 * 64), later.scores(0), 1e-9);
    EncoderConfig first = EncoderConfig.read("deberta", config("deberta", names));
    assertEquals(List.of("c2p", "p2c"), first.relativeKinds());
    assertEquals(1 / Math.sqrt(4 * 64), first.scores(0), 1e-9);
  }

  private static final String BOTH_NAMES =
      """
      , "rope_parameters": %s, "rope_scaling": {"rope_type": "linear", "factor": 4.0}\
      """;

  private static Rope rope(String family, int number, String more) {
    return DecoderConfig.read(family, config(family, more)).ropes().get(number);
  }

  @Test
  void theOlderNameOfScalingsWins() {
    String newer = "{\"rope_type\": \"linear\", \"factor\": 2.0, \"rope_theta\": 777.0}";
    Rope both = rope("llama", 0, BOTH_NAMES.formatted(newer));
    assertEquals(0.25f, both.base()[0]);
    assertEquals((float) (Math.pow(1e4, -2.0 / both.turned()) / 4), both.base()[1], 1e-7);
    String own = ", \"rope_scaling\": {\"rope_type\": \"default\", \"rope_theta\": 555.0}";
    assertTheta(555, rope("llama", 0, own));
    String none = ", \"rope_scaling\": {}, \"rope_parameters\": " + newer;
    assertEquals(0.5f, rope("llama", 0, none).base()[0]);
  }

  @Test
  void theOlderNameOfScalingsIsForLayersThatSeeEverything() {
    String newer =
        """
        {"full_attention": {"rope_type": "default", "rope_theta": 777.0},
         "sliding_attention": {"rope_type": "default", "rope_theta": 888.0}}\
        """;
    Rope whole = rope("gemma3_text", 0, BOTH_NAMES.formatted(newer));
    assertEquals((float) (Math.pow(777, -2.0 / whole.turned()) / 4), whole.base()[1], 1e-7);
    assertTheta(888, rope("gemma3_text", 1, BOTH_NAMES.formatted(newer)));
  }

  @Test
  void aTypeAloneSaysNothingWhereLayersHaveRulesOfTheirOwn() {
    String typed = ", \"rope_scaling\": {\"%s\": \"linear\", \"factor\": 4.0}";
    for (String family : List.of("gemma3_text", "olmo3")) {
      assertEquals(1, rope(family, 0, typed.formatted("type")).base()[0], family);
      assertEquals(0.25f, rope(family, 0, typed.formatted("rope_type")).base()[0], family);
      assertEquals(1, rope(family, 1, typed.formatted("rope_type")).base()[0], family);
    }
    String named = typed.formatted("rope_type");
    for (Rope rope : EncoderConfig.read("modernbert", config("modernbert", named)).ropes()) {
      assertEquals(0.25f, rope.base()[0]);
    }
  }

  @Test
  void rulesForNoKindOfLayersWhereTheyHaveRulesOfTheirOwn() {
    String flat = ", \"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 4.0}";
    UnsupportedException refused =
        assertThrows(UnsupportedException.class, () -> rope("olmo3", 0, flat));
    assertTrue(refused.getMessage().contains("'rope_parameters'"), refused.getMessage());
  }

  @Test
  void nomicTurnsWholeHeads() {
    String half = ", \"rope_parameters\": {\"partial_rotary_factor\": 0.5}";
    Rope rope = EncoderConfig.read("nomic_bert", config("nomic_bert", half)).ropes().getFirst();
    assertEquals(64, rope.turned());
    String whole = half + ", \"rotary_emb_fraction\": 1.0";
    rope = EncoderConfig.read("nomic_bert", config("nomic_bert", whole)).ropes().getFirst();
    assertEquals(64, rope.turned());
    UnsupportedException refused =
        assertThrows(
            UnsupportedException.class,
            () ->
                EncoderConfig.read(
                    "nomic_bert", config("nomic_bert", ", \"rotary_emb_fraction\": 0.5")));
    assertTrue(refused.getMessage().contains("'rotary_emb_fraction'"), refused.getMessage());
  }

  @Test
  void slidingLayersOfOlmo3KeepTheirBase() {
    String theta = ", \"rope_theta\": 777.0";
    assertTheta(777, rope("olmo3", 0, theta));
    assertTheta(5e5, rope("olmo3", 1, theta));
  }

  @Test
  void theTrainedLengthIsThatBesideTheRules() {
    String rules =
        """
        , "hidden_size": 8, "num_attention_heads": 2, "rope_scaling": {"type": "longrope",
        "short_factor": [2.0, 2.0], "long_factor": [4.0, 4.0],
        "original_max_position_embeddings": 16}\
        """;
    assertEquals(0.5f, rope("phi3", 0, rules).frequencies(4096)[0]);
    assertEquals(0.25f, rope("phi3", 0, rules).frequencies(4097)[0]);
    String beside = rules + ", \"original_max_position_embeddings\": 32";
    assertEquals(0.5f, rope("phi3", 0, beside).frequencies(32)[0]);
    assertEquals(0.25f, rope("phi3", 0, beside).frequencies(33)[0]);
    assertEquals(0.5f, rope("phi3", 0, beside.replace("longrope", "su")).frequencies(32)[0]);
    assertEquals(0.5f, rope("llama", 0, beside).frequencies(32)[0]);
    assertEquals(0.25f, rope("llama", 0, beside).frequencies(33)[0]);
    assertEquals(0.25f, rope("llama", 0, rules).frequencies(17)[0]);
  }

  /** Of transformers 5.17, as the others: heads of 8, theta 100, factor 8, trained at 64. */
  private static final float[] LLAMA3 = {1, 0.2443846f, 0.01304226f, 0.00395285f};

  @Test
  void theTrainedLengthOfAllScalingsIsThatBesideTheRules() {
    String rules =
        """
        , "hidden_size": 8, "num_attention_heads": 1, "rope_theta": 100.0, "rope_scaling":
        {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 64}\
        """;
    String beside = rules + ", \"original_max_position_embeddings\": 512";
    assertArrayEquals(LLAMA3, rope("llama", 0, rules).base(), 1e-6f);
    float[] llama3 = {1, 0.3162278f, 0.1f, 0.01849668f};
    assertArrayEquals(llama3, rope("llama", 0, beside).base(), 1e-6f);
    float[] yarn = {1, 0.2470529f, 0.0562500f, 0.01087033f};
    assertArrayEquals(yarn, rope("llama", 0, beside.replace("llama3", "yarn")).base(), 1e-6f);
  }

  @Test
  void theTrainedLengthOfAKindOfLayersIsAmongItsRules() {
    String rules =
        """
        , "original_max_position_embeddings": 512, "rope_parameters": {"full_attention":
        {"rope_type": "llama3", "rope_theta": 100.0, "factor": 8.0,
        "original_max_position_embeddings": 64}, "sliding_attention": {"rope_type": "default"}},
        "head_dim": 8\
        """;
    assertArrayEquals(LLAMA3, rope("gemma3_text", 0, rules).base(), 1e-6f);
  }

  @Test
  void layersThatTurnNothingMayBeListedForMoreLayers() {
    String layers = ", \"num_hidden_layers\": 2, \"no_rope_layers\": [0, 1%s]";
    List<LayerKind> kinds =
        DecoderConfig.read("smollm3", config("smollm3", layers.formatted(", 0, 1"))).kinds();
    assertEquals(List.of(-1, 0), kinds.stream().map(LayerKind::rope).toList());
    String few = ", \"num_hidden_layers\": 3, \"no_rope_layers\": [0, 1]";
    assertThrows(
        FormatException.class, () -> DecoderConfig.read("smollm3", config("smollm3", few)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"linear", "dynamic", "llama3"})
  void phi3IsScaledByLongRopeAlone(String type) {
    String scaling = ", \"rope_scaling\": {\"type\": \"" + type + "\", \"factor\": 4.0}";
    UnsupportedException refused =
        assertThrows(UnsupportedException.class, () -> rope("phi3", 0, scaling));
    assertTrue(refused.getMessage().contains("'" + type + "'"), refused.getMessage());
  }

  @Test
  void yarnIsAnOlderNameOfLongRopeToPhi3() {
    String extents = ", \"hidden_size\": 8, \"num_attention_heads\": 2, \"rope_scaling\": ";
    String yarn = extents + "{\"type\": \"yarn\", \"factor\": 4.0%s}";
    String factors = ", \"short_factor\": [2.0, 2.0], \"long_factor\": [4.0, 4.0]";
    Rope scaled = rope("phi3", 0, yarn.formatted(factors));
    assertEquals(0.5f, scaled.base()[0]);
    assertEquals(0.25f, scaled.frequencies(4097)[0]);
    FormatException refused =
        assertThrows(FormatException.class, () -> rope("phi3", 0, yarn.formatted("")));
    assertTrue(refused.getMessage().contains("rope_scaling.short_factor"), refused.getMessage());
  }
}
