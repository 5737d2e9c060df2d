package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.testing.Samples;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Encoders made from a config against the same networks computed in double. */
class EncodersTest {
  private static final int HIDDEN = 12;
  private static final int HEADS = 3;
  private static final int WIDE = 20;
  private static final int LAYERS = 2;
  private static final int WORDS = 30;
  private static final int POSITIONS = 16;
  private static final double EPSILON = 1e-5;
  private static final long[] IDS = {5, 7, 29, 3, 1, 1};
  private static final long[] MASK = {1, 1, 1, 1, 0, 0};

  @TempDir private Path folder;
  private final Reference reference = new Reference();
  private final Samples samples = new Samples(3);
  private boolean fromTensorFlow;

  private void matrix(String module, int out, int in, boolean bias) {
    float[] weights = samples.normal(out * in);
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= 0.3f;
    }
    reference.put(module + ".weight", weights);
    if (bias) {
      reference.put(module + ".bias", samples.normal(out));
    }
  }

  private void norm(String module) {
    reference.put(module + ".weight", samples.normal(HIDDEN));
    reference.put(module + ".bias", samples.normal(HIDDEN));
  }

  /** As checkpoints that were converted from TensorFlow call the parameters of a norm. */
  private String inFile(String name) {
    return fromTensorFlow
        ? name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
        : name;
  }

  private float[] run(String config, Map<String, long[]> inputs) {
    CheckpointFolder checkpoint = new CheckpointFolder(folder).config(config);
    reference
        .tensors()
        .forEach(
            (name, values) -> {
              boolean vector =
                  name.endsWith(".bias")
                      || name.contains("LayerNorm")
                      || name.contains("layer_norm");
              int rows = vector ? 1 : rows(name, values.length);
              if (vector) {
                checkpoint.floats(inFile(name), values, values.length);
              } else {
                checkpoint.floats(name, values, rows, values.length / rows);
              }
            });
    checkpoint.write();
    Map<String, Tensor> tensors = new HashMap<>();
    inputs.forEach((name, values) -> tensors.put(name, Tensor.of(values, 1, values.length)));
    try (Model model = Model.open(folder);
        Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      long attentions =
          model.graph().nodes().stream().filter(node -> node.type().equals("Attention")).count();
      assertEquals(LAYERS, attentions, "attention is recognised in every layer");
      return session.run(tensors).get("last_hidden_state").toFloats();
    }
  }

  private static int rows(String name, int count) {
    if (name.startsWith("electra.embeddings.")) {
      return count / 6;
    }
    if (name.contains("relative_attention_bias")) {
      return count / HEADS;
    }
    boolean narrow =
        name.contains("lin2")
            || name.contains("embeddings_project")
            || name.contains("output.dense") && count == HIDDEN * WIDE;
    return narrow ? HIDDEN : count / HIDDEN;
  }

  private static void assertClose(double[][] expected, float[] found, int tokens) {
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < HIDDEN; i++) {
        assertEquals(expected[t][i], found[t * HIDDEN + i], 2e-5, "token " + t + " feature " + i);
      }
    }
  }

  private static String config(String family, String more) {
    return """
    {"model_type": "%s", "hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 2,
     "intermediate_size": 20, "layer_norm_eps": 1e-5, "vocab_size": 30,
     "max_position_embeddings": 16 %s}\
    """
        .formatted(family, more);
  }

  private void embeddings(String prefix, int kinds) {
    matrix(prefix + "embeddings.word_embeddings", WORDS, HIDDEN, false);
    matrix(prefix + "embeddings.position_embeddings", POSITIONS, HIDDEN, false);
    if (kinds > 0) {
      matrix(prefix + "embeddings.token_type_embeddings", kinds, HIDDEN, false);
    }
    norm(prefix + "embeddings.LayerNorm");
  }

  private void bertLayer(String layer) {
    for (String part : new String[] {"query", "key", "value"}) {
      matrix(layer + "attention.self." + part, HIDDEN, HIDDEN, true);
    }
    matrix(layer + "attention.output.dense", HIDDEN, HIDDEN, true);
    norm(layer + "attention.output.LayerNorm");
    matrix(layer + "intermediate.dense", WIDE, HIDDEN, true);
    matrix(layer + "output.dense", HIDDEN, WIDE, true);
    norm(layer + "output.LayerNorm");
  }

  static double gelu(double x) {
    // the series of erf converges for the arguments of these tests
    double z = x / Math.sqrt(2);
    double term = z;
    double sum = z;
    for (int n = 1; n < 200; n++) {
      term *= -z * z / n;
      sum += term / (2 * n + 1);
    }
    return 0.5 * x * (1 + 2 / Math.sqrt(Math.PI) * sum);
  }

  private double[][] bert(String prefix, double[][] x, String[] names, Reference.Bias bias) {
    double[][] y = x;
    for (int l = 0; l < LAYERS; l++) {
      String layer = prefix + names[0] + l + ".";
      double[][] attended =
          Reference.attention(
              reference.linear(y, layer + names[1], HIDDEN),
              reference.linear(y, layer + names[2], HIDDEN),
              reference.linear(y, layer + names[3], HIDDEN),
              HEADS,
              HEADS,
              bias);
      y =
          reference.layerNormalization(
              Reference.add(reference.linear(attended, layer + names[4], HIDDEN), y),
              layer + names[5],
              EPSILON);
      double[][] wide =
          Reference.map(reference.linear(y, layer + names[6], WIDE), EncodersTest::gelu);
      y =
          reference.layerNormalization(
              Reference.add(reference.linear(wide, layer + names[7], HIDDEN), y),
              layer + names[8],
              EPSILON);
    }
    return y;
  }

  private static final String[] BERT = {
    "encoder.layer.",
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm"
  };

  private static double masked(int head, int query, int key) {
    return MASK[key] == 0 ? Double.NEGATIVE_INFINITY : 0;
  }

  @Test
  void bert() {
    embeddings("bert.", 2);
    bertLayer("bert.encoder.layer.0.");
    bertLayer("bert.encoder.layer.1.");
    long[] kinds = {0, 0, 1, 1, 0, 0};
    float[] found =
        run(
            config("bert", ", \"type_vocab_size\": 2, \"hidden_act\": \"gelu\""),
            Map.of("input_ids", IDS, "attention_mask", MASK, "token_type_ids", kinds));
    double[][] x =
        Reference.add(
            Reference.add(
                reference.rows("bert.embeddings.word_embeddings", HIDDEN, IDS),
                reference.rows("bert.embeddings.token_type_embeddings", HIDDEN, kinds)),
            reference.rows("bert.embeddings.position_embeddings", HIDDEN, 0, 1, 2, 3, 4, 5));
    x = reference.layerNormalization(x, "bert.embeddings.LayerNorm", EPSILON);
    assertClose(bert("bert.", x, BERT, EncodersTest::masked), found, 4);
  }

  /** Configurations may leave defaults out: two kinds of tokens, as the table has them. */
  @Test
  void kindsOfTokensAreThoseOfTheTable() {
    embeddings("bert.", 2);
    bertLayer("bert.encoder.layer.0.");
    bertLayer("bert.encoder.layer.1.");
    Map<String, long[]> inputs =
        Map.of(
            "input_ids",
            IDS,
            "attention_mask",
            MASK,
            "token_type_ids",
            new long[] {0, 0, 1, 1, 0, 0});
    assertArrayEquals(
        run(config("bert", ", \"type_vocab_size\": 2, \"hidden_act\": \"gelu\""), inputs),
        run(config("bert", ", \"hidden_act\": \"gelu\""), inputs));
  }

  @Test
  void electraWithTablesNarrowerThanItsLayers() {
    int narrow = 6;
    String tables = "electra.embeddings.";
    reference.put(tables + "word_embeddings.weight", samples.normal(WORDS * narrow));
    reference.put(tables + "position_embeddings.weight", samples.normal(POSITIONS * narrow));
    reference.put(tables + "token_type_embeddings.weight", samples.normal(2 * narrow));
    reference.put(tables + "LayerNorm.weight", samples.normal(narrow));
    reference.put(tables + "LayerNorm.bias", samples.normal(narrow));
    matrix("electra.embeddings_project", HIDDEN, narrow, true);
    bertLayer("electra.encoder.layer.0.");
    bertLayer("electra.encoder.layer.1.");
    long[] kinds = {0, 0, 1, 1, 0, 0};
    String more = ", \"type_vocab_size\": 2, \"embedding_size\": 6";
    float[] found =
        run(
            config("electra", more),
            Map.of("input_ids", IDS, "attention_mask", MASK, "token_type_ids", kinds));
    double[][] x =
        Reference.add(
            Reference.add(
                reference.rows(tables + "word_embeddings", narrow, IDS),
                reference.rows(tables + "token_type_embeddings", narrow, kinds)),
            reference.rows(tables + "position_embeddings", narrow, 0, 1, 2, 3, 4, 5));
    x = reference.layerNormalization(x, tables + "LayerNorm", EPSILON);
    x = reference.linear(x, "electra.embeddings_project", HIDDEN);
    assertClose(bert("electra.", x, BERT, EncodersTest::masked), found, 4);
  }

  @Test
  void bertThatWasConvertedFromTensorFlow() {
    embeddings("bert.", 2);
    bertLayer("bert.encoder.layer.0.");
    bertLayer("bert.encoder.layer.1.");
    String config = config("bert", ", \"type_vocab_size\": 2, \"hidden_act\": \"gelu\"");
    Map<String, long[]> inputs =
        Map.of("input_ids", IDS, "attention_mask", MASK, "token_type_ids", new long[IDS.length]);
    float[] expected = run(config, inputs);
    fromTensorFlow = true;
    assertArrayEquals(expected, run(config, inputs));
  }

  @Test
  void distilBert() {
    embeddings("distilbert.", 0);
    String[] names = {
      "transformer.layer.",
      "attention.q_lin",
      "attention.k_lin",
      "attention.v_lin",
      "attention.out_lin",
      "sa_layer_norm",
      "ffn.lin1",
      "ffn.lin2",
      "output_layer_norm"
    };
    for (int l = 0; l < LAYERS; l++) {
      String layer = "distilbert.transformer.layer." + l + ".";
      for (int i = 1; i < 5; i++) {
        matrix(layer + names[i], HIDDEN, HIDDEN, true);
      }
      norm(layer + names[5]);
      matrix(layer + names[6], WIDE, HIDDEN, true);
      matrix(layer + names[7], HIDDEN, WIDE, true);
      norm(layer + names[8]);
    }
    float[] found =
        run(
            """
            {"model_type": "distilbert", "dim": 12, "n_heads": 3, "n_layers": 2, "hidden_dim": 20,
             "layer_norm_eps": 1e-5, "vocab_size": 30, "max_position_embeddings": 16,
             "activation": "gelu"}\
            """,
            Map.of("input_ids", IDS, "attention_mask", MASK));
    double[][] x =
        Reference.add(
            reference.rows("distilbert.embeddings.word_embeddings", HIDDEN, IDS),
            reference.rows("distilbert.embeddings.position_embeddings", HIDDEN, 0, 1, 2, 3, 4, 5));
    x = reference.layerNormalization(x, "distilbert.embeddings.LayerNorm", EPSILON);
    assertClose(bert("distilbert.", x, names, EncodersTest::masked), found, 4);
  }

  @Test
  void robertaCountsPositionsAfterPadding() {
    embeddings("roberta.", 1);
    bertLayer("roberta.encoder.layer.0.");
    bertLayer("roberta.encoder.layer.1.");
    float[] found =
        run(
            config("roberta", ", \"type_vocab_size\": 1, \"pad_token_id\": 1"),
            Map.of(
                "input_ids", IDS, "attention_mask", MASK, "token_type_ids", new long[IDS.length]));
    double[][] x =
        Reference.add(
            Reference.add(
                reference.rows("roberta.embeddings.word_embeddings", HIDDEN, IDS),
                reference.rows(
                    "roberta.embeddings.token_type_embeddings", HIDDEN, 0, 0, 0, 0, 0, 0)),
            reference.rows("roberta.embeddings.position_embeddings", HIDDEN, 2, 3, 4, 5, 1, 1));
    x = reference.layerNormalization(x, "roberta.embeddings.LayerNorm", EPSILON);
    assertClose(bert("roberta.", x, BERT, EncodersTest::masked), found, 4);
  }

  @Test
  void mpnetBiasesScoresByDistance() {
    embeddings("", 0);
    matrix("encoder.relative_attention_bias", 32, HEADS, false);
    String[] names = {
      "encoder.layer.",
      "attention.attn.q",
      "attention.attn.k",
      "attention.attn.v",
      "attention.attn.o",
      "attention.LayerNorm",
      "intermediate.dense",
      "output.dense",
      "output.LayerNorm"
    };
    for (int l = 0; l < LAYERS; l++) {
      String layer = "encoder.layer." + l + ".";
      for (int i = 1; i < 5; i++) {
        matrix(layer + names[i], HIDDEN, HIDDEN, true);
      }
      norm(layer + names[5]);
      matrix(layer + names[6], WIDE, HIDDEN, true);
      matrix(layer + names[7], HIDDEN, WIDE, true);
      norm(layer + names[8]);
    }
    float[] found =
        run(
            config("mpnet", ", \"pad_token_id\": 1, \"relative_attention_num_buckets\": 32"),
            Map.of("input_ids", IDS, "attention_mask", MASK));
    double[][] x =
        Reference.add(
            reference.rows("embeddings.word_embeddings", HIDDEN, IDS),
            reference.rows("embeddings.position_embeddings", HIDDEN, 2, 3, 4, 5, 1, 1));
    x = reference.layerNormalization(x, "embeddings.LayerNorm", EPSILON);
    float[] bias = reference.get("encoder.relative_attention_bias.weight");
    double[][] expected =
        bert(
            "",
            x,
            names,
            (head, query, key) ->
                masked(head, query, key)
                    // distances below 8 have a bucket each, those to later keys from 16 on
                    + bias[(key > query ? 16 + key - query : query - key) * HEADS + head]);
    assertClose(expected, found, 4);
  }

  @Test
  void farDistancesShareBucketsThatGrow() {
    assertEquals(0, RelativeBias.bucket(0, 32, 128));
    assertEquals(7, RelativeBias.bucket(-7, 32, 128));
    assertEquals(8, RelativeBias.bucket(-8, 32, 128));
    assertEquals(15, RelativeBias.bucket(-128, 32, 128));
    assertEquals(15, RelativeBias.bucket(-5000, 32, 128));
    assertEquals(16 + 15, RelativeBias.bucket(5000, 32, 128));
    assertEquals(12, RelativeBias.bucket(-32, 32, 128));
  }

  @Test
  void anUnknownFamilyNamesTheNearest() {
    embeddings("", 0);
    new CheckpointFolder(folder)
        .config(config("mamba", ""))
        .floats("x.weight", new float[1], 1, 1)
        .write();
    UnsupportedException refused =
        assertThrows(UnsupportedException.class, () -> Model.open(folder));
    assertTrue(refused.getMessage().contains("'mamba'"), refused.getMessage());
    assertTrue(refused.getMessage().contains("bert"), refused.getMessage());
  }
}
