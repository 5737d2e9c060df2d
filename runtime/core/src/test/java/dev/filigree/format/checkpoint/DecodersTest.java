package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Decoder;
import dev.filigree.DecoderOptions;
import dev.filigree.Decoding;
import dev.filigree.FormatException;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.Samples;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Decoders made from a config against the same networks computed in double. */
class DecodersTest {
  private static final int HIDDEN = 16;
  private static final int HEADS = 4;
  private static final int KEY_HEADS = 2;
  private static final int WIDTH = 6;
  private static final int WIDE = 20;
  private static final int LAYERS = 2;
  private static final int WORDS = 25;
  private static final double EPSILON = 1e-5;
  private static final long[] IDS = {3, 14, 15, 9, 2, 6, 5};

  @TempDir private Path folder;
  private final Reference reference = new Reference();
  private final Map<String, Integer> rows = new HashMap<>();
  private final Samples samples = new Samples(7);

  private void matrix(String module, int out, int in) {
    float[] weights = samples.normal(out * in);
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= 0.4f;
    }
    reference.put(module + ".weight", weights);
    rows.put(module + ".weight", out);
  }

  private void vector(String name, int extent) {
    reference.put(name, samples.normal(extent));
  }

  private void network(boolean biases, boolean norms, boolean head) {
    matrix("model.embed_tokens", WORDS, HIDDEN);
    for (int l = 0; l < LAYERS; l++) {
      String layer = "model.layers." + l + ".";
      vector(layer + "input_layernorm.weight", HIDDEN);
      matrix(layer + "self_attn.q_proj", HEADS * WIDTH, HIDDEN);
      matrix(layer + "self_attn.k_proj", KEY_HEADS * WIDTH, HIDDEN);
      matrix(layer + "self_attn.v_proj", KEY_HEADS * WIDTH, HIDDEN);
      matrix(layer + "self_attn.o_proj", HIDDEN, HEADS * WIDTH);
      if (biases) {
        vector(layer + "self_attn.q_proj.bias", HEADS * WIDTH);
        vector(layer + "self_attn.k_proj.bias", KEY_HEADS * WIDTH);
        vector(layer + "self_attn.v_proj.bias", KEY_HEADS * WIDTH);
      }
      if (norms) {
        vector(layer + "self_attn.q_norm.weight", WIDTH);
        vector(layer + "self_attn.k_norm.weight", WIDTH);
      }
      vector(layer + "post_attention_layernorm.weight", HIDDEN);
      matrix(layer + "mlp.gate_proj", WIDE, HIDDEN);
      matrix(layer + "mlp.up_proj", WIDE, HIDDEN);
      matrix(layer + "mlp.down_proj", HIDDEN, WIDE);
    }
    vector("model.norm.weight", HIDDEN);
    if (head) {
      matrix("lm_head", WORDS, HIDDEN);
    }
  }

  private static String config(String family, String more) {
    return """
    {"model_type": "%s", "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
     "head_dim": 6, "num_hidden_layers": 2, "intermediate_size": 20, "rms_norm_eps": 1e-5,
     "vocab_size": 25, "max_position_embeddings": 64, "rope_theta": 100.0 %s}\
    """
        .formatted(family, more);
  }

  private void write(String config) {
    CheckpointFolder checkpoint = new CheckpointFolder(folder).config(config);
    reference
        .tensors()
        .forEach(
            (name, values) -> {
              Integer out = rows.get(name);
              if (out == null) {
                checkpoint.floats(name, values, values.length);
              } else {
                checkpoint.floats(name, values, out, values.length / out);
              }
            });
    checkpoint.write();
  }

  /** Logits of the whole sequence; those of a decoder with a cache are checked against them. */
  private float[] logits(long... mask) {
    Map<String, Tensor> inputs =
        Map.of(
            "input_ids", Tensor.of(IDS, 1, IDS.length),
            "attention_mask", Tensor.of(mask, 1, mask.length));
    try (Model model = Model.open(folder);
        Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      float[] whole = session.run(inputs).get("logits").toFloats();
      if (Arrays.stream(mask).allMatch(each -> each == 1)) {
        assertCachedGives(whole, model);
      }
      return whole;
    }
  }

  /** Reads the sequence token by token, in two pieces, and again after forgetting some. */
  private static void assertCachedGives(float[] whole, Model model) {
    DecoderOptions options = DecoderOptions.defaults().withLongest(IDS.length);
    try (Decoder decoder = model.decoder(options);
        Decoding single = decoder.start();
        Decoding pieces = decoder.start()) {
      for (int t = 0; t < IDS.length; t++) {
        assertLogits(whole, t, single.read(IDS[t]));
      }
      assertLogits(whole, 4, pieces.read(Arrays.copyOf(IDS, 5)));
      assertLogits(whole, IDS.length - 1, pieces.read(Arrays.copyOfRange(IDS, 5, IDS.length)));
      pieces.truncate(2);
      assertEquals(2, pieces.length());
      assertLogits(whole, 3, pieces.read(IDS[2], IDS[3]));
    }
  }

  private static void assertLogits(float[] whole, int token, float[] found) {
    for (int i = 0; i < WORDS; i++) {
      assertEquals(whole[token * WORDS + i], found[i], 2e-5, "token " + token + " word " + i);
    }
  }

  private double[][] rotated(double[][] x, int heads, double[] frequencies, double amplitude) {
    double[][] y = new double[x.length][x[0].length];
    int half = WIDTH / 2;
    for (int t = 0; t < x.length; t++) {
      for (int head = 0; head < heads; head++) {
        for (int i = 0; i < half; i++) {
          int first = head * WIDTH + i;
          double cos = Math.cos(t * frequencies[i]) * amplitude;
          double sin = Math.sin(t * frequencies[i]) * amplitude;
          y[t][first] = x[t][first] * cos - x[t][first + half] * sin;
          y[t][first + half] = x[t][first + half] * cos + x[t][first] * sin;
        }
      }
    }
    return y;
  }

  private double[][] byHead(double[][] x, int heads, String norm) {
    if (reference.get(norm + ".weight") == null) {
      return x;
    }
    double[][] y = new double[x.length][x[0].length];
    for (int t = 0; t < x.length; t++) {
      for (int head = 0; head < heads; head++) {
        double[][] one = {Arrays.copyOfRange(x[t], head * WIDTH, (head + 1) * WIDTH)};
        System.arraycopy(
            reference.rootMeanSquare(one, norm, EPSILON)[0], 0, y[t], head * WIDTH, WIDTH);
      }
    }
    return y;
  }

  private double[][] expected(double[] frequencies, double amplitude, String head) {
    return expected(frequencies, amplitude, head, new int[] {IDS.length, IDS.length});
  }

  /** With windows: a token of layer l sees the last {@code windows[l]} tokens. */
  private double[][] expected(double[] frequencies, double amplitude, String head, int[] windows) {
    double[][] x = reference.rows("model.embed_tokens", HIDDEN, IDS);
    for (int l = 0; l < LAYERS; l++) {
      int window = windows[l];
      String layer = "model.layers." + l + ".";
      String self = layer + "self_attn.";
      double[][] normal = reference.rootMeanSquare(x, layer + "input_layernorm", EPSILON);
      double[][] q =
          byHead(reference.linear(normal, self + "q_proj", HEADS * WIDTH), HEADS, self + "q_norm");
      double[][] k =
          byHead(
              reference.linear(normal, self + "k_proj", KEY_HEADS * WIDTH),
              KEY_HEADS,
              self + "k_norm");
      double[][] attended =
          Reference.attention(
              rotated(q, HEADS, frequencies, amplitude),
              rotated(k, KEY_HEADS, frequencies, amplitude),
              reference.linear(normal, self + "v_proj", KEY_HEADS * WIDTH),
              HEADS,
              KEY_HEADS,
              (h, query, key) ->
                  key > query || key <= query - window ? Double.NEGATIVE_INFINITY : 0);
      x = Reference.add(x, reference.linear(attended, self + "o_proj", HIDDEN));
      double[][] second = reference.rootMeanSquare(x, layer + "post_attention_layernorm", EPSILON);
      double[][] gate =
          Reference.map(
              reference.linear(second, layer + "mlp.gate_proj", WIDE),
              value -> value / (1 + Math.exp(-value)));
      double[][] up = reference.linear(second, layer + "mlp.up_proj", WIDE);
      for (int t = 0; t < gate.length; t++) {
        for (int i = 0; i < WIDE; i++) {
          gate[t][i] *= up[t][i];
        }
      }
      x = Reference.add(x, reference.linear(gate, layer + "mlp.down_proj", HIDDEN));
    }
    return reference.linear(reference.rootMeanSquare(x, "model.norm", EPSILON), head, WORDS);
  }

  private static double[] frequencies() {
    double[] frequencies = new double[WIDTH / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = Math.pow(100, -2.0 * i / WIDTH);
    }
    return frequencies;
  }

  private static void assertClose(double[][] expected, float[] found) {
    for (int t = 0; t < expected.length; t++) {
      for (int i = 0; i < WORDS; i++) {
        assertEquals(expected[t][i], found[t * WORDS + i], 5e-5, "token " + t + " word " + i);
      }
    }
  }

  @Test
  void llama() {
    network(false, false, true);
    write(config("llama", ""));
    assertClose(expected(frequencies(), 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void qwen2HasBiasesAndSharesItsTable() {
    network(true, false, false);
    write(config("qwen2", ", \"tie_word_embeddings\": true, \"use_sliding_window\": false"));
    assertClose(expected(frequencies(), 1, "model.embed_tokens"), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void qwen3NormalisesQueriesAndKeys() {
    network(false, true, true);
    write(config("qwen3", ""));
    assertClose(expected(frequencies(), 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void paddingBehindATextChangesNothingBeforeIt() {
    network(false, false, true);
    write(config("llama", ""));
    float[] whole = logits(1, 1, 1, 1, 1, 1, 1);
    float[] padded = logits(1, 1, 1, 1, 1, 0, 0);
    for (int i = 0; i < 5 * WORDS; i++) {
      assertEquals(whole[i], padded[i], 1e-6);
    }
  }

  @Test
  void positionsAreScaledAsTheConfigSays() {
    network(false, false, true);
    double[] linear = frequencies();
    for (int i = 0; i < linear.length; i++) {
      linear[i] /= 4;
    }
    write(config("llama", ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}"));
    assertClose(expected(linear, 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
    write(
        config(
            "llama",
            """
            , "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 32}\
            """));
    double[] llama3 = frequencies();
    for (int i = 0; i < llama3.length; i++) {
      double wave = 2 * Math.PI / llama3[i];
      if (wave > 32) {
        llama3[i] /= 8;
      } else if (wave > 8) {
        double smooth = (32 / wave - 1) / 3;
        llama3[i] = (1 - smooth) * llama3[i] / 8 + smooth * llama3[i];
      }
    }
    assertClose(expected(llama3, 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void positionsAreReadAsTransformersFiveWritesThem() {
    network(false, false, true);
    String parameters = "\"rope_parameters\": {\"rope_theta\": 100.0, \"rope_type\": \"%s\" %s}";
    String early = "\"rope_theta\": 100.0";
    write(config("llama", "").replace(early, parameters.formatted("default", "")));
    assertClose(expected(frequencies(), 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
    double[] linear = frequencies();
    for (int i = 0; i < linear.length; i++) {
      linear[i] /= 4;
    }
    write(config("llama", "").replace(early, parameters.formatted("linear", ", \"factor\": 4.0")));
    assertClose(expected(linear, 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void dynamicScalingFollowsTheLengthBeyondTheTrainedOne() {
    network(false, false, true);
    // transformers follows max_position_embeddings alone
    String scaling =
        config(
            "llama",
            """
            , "rope_scaling": {"type": "dynamic", "factor": 2.0,
            "original_max_position_embeddings": 2}\
            """);
    String trained = "\"max_position_embeddings\": ";
    write(scaling.replace(trained + 64, trained + IDS.length));
    assertClose(expected(frequencies(), 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
    write(scaling.replace(trained + 64, trained + 4));
    double theta = 100 * Math.pow(2.0 * IDS.length / 4 - 1, (double) WIDTH / (WIDTH - 2));
    double[] longer = new double[WIDTH / 2];
    for (int i = 0; i < longer.length; i++) {
      longer[i] = Math.pow(theta, -2.0 * i / WIDTH);
    }
    assertClose(expected(longer, 1, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void yarnBlendsFrequenciesAndScalesAmplitudes() {
    network(false, false, true);
    write(
        config(
            "llama",
            """
            , "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "beta_fast": 4.0,
            "beta_slow": 1.0, "original_max_position_embeddings": 32}\
            """));
    double[] base = frequencies();
    double fast = WIDTH * Math.log(32 / (4 * 2 * Math.PI)) / (2 * Math.log(100));
    double slow = WIDTH * Math.log(32 / (2 * Math.PI)) / (2 * Math.log(100));
    double from = Math.max(0, Math.floor(fast));
    double to = Math.min(WIDTH - 1, Math.ceil(slow));
    double[] blended = new double[base.length];
    for (int i = 0; i < base.length; i++) {
      double ramp = Math.clamp((i - from) / (to - from), 0.0, 1.0);
      blended[i] = ramp * base[i] / 4 + (1 - ramp) * base[i];
    }
    double amplitude = 0.1 * Math.log(4) + 1;
    assertClose(expected(blended, amplitude, "lm_head"), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void mistralSeesAWindow() {
    network(false, false, true);
    write(config("mistral", ", \"sliding_window\": 3"));
    assertClose(
        expected(frequencies(), 1, "lm_head", new int[] {3, 3}), logits(1, 1, 1, 1, 1, 1, 1));
  }

  @Test
  void qwenSeesWindowsWhereItsConfigTurnsThemOn() {
    network(true, false, true);
    String window = ", \"sliding_window\": 2";
    double[][] whole = expected(frequencies(), 1, "lm_head");
    write(config("qwen2", window));
    assertClose(whole, logits(1, 1, 1, 1, 1, 1, 1));
    double[][] second = expected(frequencies(), 1, "lm_head", new int[] {IDS.length, 2});
    String on = window + ", \"use_sliding_window\": true";
    write(config("qwen2", on + ", \"max_window_layers\": 1"));
    assertClose(second, logits(1, 1, 1, 1, 1, 1, 1));
    String types = ", \"layer_types\": [\"full_attention\", \"%s\"]";
    write(config("qwen2", on + types.formatted("sliding_attention")));
    assertClose(second, logits(1, 1, 1, 1, 1, 1, 1));
    write(config("qwen2", on + types.formatted("linear_attention")));
    assertRefused("linear_attention");
    write(config("qwen2", on + ", \"layer_types\": [\"full_attention\"]"));
    FormatException few = assertThrows(FormatException.class, () -> Model.open(folder));
    assertTrue(few.getMessage().contains("1 'layer_types' for 2 layers"), few.getMessage());
  }

  @Test
  void aKeyThatIsNullSaysNothing() {
    // configs of Gemma 2 call the function by two names, of which one may be null
    String names = ", \"hidden_act\": \"relu\", \"hidden_activation\": null";
    JsonFile config =
        JsonFile.parse(folder, config("gemma2", names).getBytes(StandardCharsets.UTF_8));
    assertEquals("relu", DecoderConfig.read("gemma2", config).activation());
  }

  @Test
  void unknownScalingsAreRefusedByName() {
    network(false, false, true);
    write(config("llama", ", \"rope_scaling\": {\"type\": \"proportional\"}"));
    assertRefused("proportional");
  }

  private void assertRefused(String part) {
    UnsupportedException refused =
        assertThrows(UnsupportedException.class, () -> Model.open(folder));
    assertTrue(refused.getMessage().contains(part), refused.getMessage());
  }
}
