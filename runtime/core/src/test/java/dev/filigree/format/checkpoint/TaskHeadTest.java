package dev.filigree.format.checkpoint;

import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DecoderOptions;
import dev.filigree.Model;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.ValueInfo;
import dev.filigree.testing.Samples;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Heads of networks against the same layers computed in double from the network's own states. */
class TaskHeadTest {
  private static final int HIDDEN = 12;
  private static final int WIDE = 20;
  private static final int TOKENS = 5;
  private static final int LABELS = 3;
  private static final double TOLERANCE = 2e-5;

  @TempDir private Path folder;
  private final Reference reference = new Reference();
  private final Samples samples = new Samples(11);

  private void matrix(String module, int out, int in) {
    float[] weights = samples.normal(out * in);
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= 0.1f; // the series of erf that is compared with is for small arguments
    }
    reference.put(module + ".weight", weights);
    reference.put(module + ".bias", samples.normal(out));
  }

  private void norm(String module) {
    reference.put(module + ".weight", samples.normal(HIDDEN));
    reference.put(module + ".bias", samples.normal(HIDDEN));
  }

  /** Outputs of a folder with an encoder of one layer and what {@link #reference} holds beside. */
  private Map<String, Tensor> run(String family, String architecture) {
    boolean distilled = family.equals("distilbert");
    String own = (family.endsWith("roberta") ? "roberta" : family) + ".";
    for (String table : List.of("word", "position", "token_type")) {
      reference.put(
          own + "embeddings." + table + "_embeddings.weight", samples.normal(16 * HIDDEN));
    }
    norm(own + "embeddings.LayerNorm");
    String layer = own + (distilled ? "transformer.layer.0." : "encoder.layer.0.");
    for (String part :
        distilled
            ? List.of("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin")
            : List.of(
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense")) {
      matrix(layer + part, HIDDEN, HIDDEN);
    }
    norm(layer + (distilled ? "sa_layer_norm" : "attention.output.LayerNorm"));
    matrix(layer + (distilled ? "ffn.lin1" : "intermediate.dense"), WIDE, HIDDEN);
    matrix(layer + (distilled ? "ffn.lin2" : "output.dense"), HIDDEN, WIDE);
    norm(layer + (distilled ? "output_layer_norm" : "output.LayerNorm"));
    CheckpointFolder checkpoint =
        new CheckpointFolder(folder)
            .config(
                """
                {"model_type": "%s", "architectures": ["%s"], "hidden_size": 12, "dim": 12,
                 "num_attention_heads": 3, "n_heads": 3, "num_hidden_layers": 1, "n_layers": 1,
                 "intermediate_size": 20, "hidden_dim": 20, "vocab_size": 16,
                 "max_position_embeddings": 16, "type_vocab_size": 16,
                 "id2label": {"0": "no", "1": "perhaps", "2": "yes"}}\
                """
                    .formatted(family, architecture));
    reference
        .tensors()
        .forEach(
            (name, values) -> {
              int rows = rows(name, values.length);
              if (rows == 1) {
                checkpoint.floats(name, values, values.length);
              } else {
                checkpoint.floats(name, values, rows, values.length / rows);
              }
            });
    checkpoint.write();
    Map<String, Tensor> inputs = new HashMap<>();
    try (Model model = Model.open(folder);
        Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      for (ValueInfo input : model.inputs()) {
        long[] values = input.name().equals("input_ids") ? new long[] {4, 9, 2, 7, 3} : ones(input);
        inputs.put(input.name(), Tensor.of(values, 1, TOKENS));
      }
      return session.run(inputs);
    }
  }

  private static long[] ones(ValueInfo input) {
    return input.name().equals("attention_mask") ? new long[] {1, 1, 1, 1, 1} : new long[TOKENS];
  }

  /** Rows of a matrix, 1 for a vector. */
  private static int rows(String name, int count) {
    if (name.endsWith(".bias") || name.contains("LayerNorm") || name.contains("layer_norm")) {
      return 1;
    }
    boolean narrows = name.contains("lin2") || name.contains("0.output.dense");
    return narrows ? HIDDEN : count / HIDDEN;
  }

  private static double[][] states(Map<String, Tensor> outputs) {
    float[] all = outputs.get("last_hidden_state").toFloats();
    double[][] states = new double[TOKENS][HIDDEN];
    for (int i = 0; i < all.length; i++) {
      states[i / HIDDEN][i % HIDDEN] = all[i];
    }
    return states;
  }

  private static void assertClose(double[][] expected, Tensor found, long... shape) {
    assertEquals(Shape.of(shape), found.shape());
    float[] values = found.toFloats();
    double[] flat = Arrays.stream(expected).flatMapToDouble(Arrays::stream).toArray();
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    assertArrayEquals(flat, wide, TOLERANCE);
  }

  private void classifiesTexts(
      String family, String dense, DoubleUnaryOperator activation, String last) {
    matrix(dense, HIDDEN, HIDDEN);
    matrix(last, LABELS, HIDDEN);
    Map<String, Tensor> outputs = run(family, "AnyForSequenceClassification");
    double[][] first = {states(outputs)[0]};
    double[][] pooled = Reference.map(reference.linear(first, dense, HIDDEN), activation);
    assertClose(reference.linear(pooled, last, LABELS), outputs.get("logits"), 1, LABELS);
  }

  @Test
  void bertClassifiesTexts() {
    classifiesTexts("bert", "bert.pooler.dense", Math::tanh, "classifier");
  }

  @Test
  void robertaClassifiesTexts() {
    classifiesTexts("xlm-roberta", "classifier.dense", Math::tanh, "classifier.out_proj");
  }

  @Test
  void distilBertClassifiesTexts() {
    classifiesTexts("distilbert", "pre_classifier", x -> Math.max(0, x), "classifier");
  }

  @Test
  void electraClassifiesTexts() {
    classifiesTexts("electra", "classifier.dense", EncodersTest::gelu, "classifier.out_proj");
  }

  @Test
  void tokensAreClassified() {
    matrix("classifier", LABELS, HIDDEN);
    Map<String, Tensor> outputs = run("bert", "BertForTokenClassification");
    double[][] expected = reference.linear(states(outputs), "classifier", LABELS);
    assertClose(expected, outputs.get("logits"), 1, TOKENS, LABELS);
  }

  @Test
  void answersBeginAndEnd() {
    matrix("qa_outputs", 2, HIDDEN);
    Map<String, Tensor> outputs = run("roberta", "RobertaForQuestionAnswering");
    double[][] both = reference.linear(states(outputs), "qa_outputs", 2);
    for (int t = 0; t < TOKENS; t++) {
      assertEquals(both[t][0], outputs.get("start_logits").toFloats()[t], TOLERANCE);
      assertEquals(both[t][1], outputs.get("end_logits").toFloats()[t], TOLERANCE);
    }
  }

  @Test
  void anotherHeadOrNoneLeavesTheStates() {
    assertEquals(Set.of("last_hidden_state"), run("bert", "BertForMaskedLM").keySet());
    assertEquals(
        Set.of("last_hidden_state"), run("bert", "BertForSequenceClassification").keySet());
  }

  @Test
  void decodersClassifyTextsByTheLastTokenThatIsNoPadding() throws Exception {
    // no token sees a later one, so a text that ends there has the same scores
    float[] three = logits("null", new long[] {5, 9, 4}, 1, 1, 1);
    long[] ids = {5, 9, 4, 7, 7};
    assertArrayEquals(three, logits("null", ids, 1, 1, 1, 0, 0), 1e-6f);
    assertArrayEquals(three, logits("7", ids, 1, 1, 1, 1, 1), 1e-6f);
    float[] all = logits("null", ids, 1, 1, 1, 1, 1);
    assertArrayEquals(all, logits("-1", ids, 1, 1, 1, 1, 1), 1e-6f);
    assertTrue(Math.abs(all[0] - three[0]) > 1e-3, all[0] + " and " + three[0]);
  }

  /** Scores of a text by a decoder whose padding has an id. */
  private float[] logits(String padding, long[] ids, long... mask) throws Exception {
    Path given =
        Path.of(TaskHeadTest.class.getResource("/dev/filigree/families/llama-texts").toURI());
    String tensors = CheckpointTensors.SINGLE;
    Files.copy(given.resolve(tensors), folder.resolve(tensors), REPLACE_EXISTING);
    String config = Files.readString(given.resolve(Checkpoint.CONFIG));
    Files.writeString(
        folder.resolve(Checkpoint.CONFIG),
        config.replace("\"pad_token_id\": 0", "\"pad_token_id\": " + padding));
    try (Model model = Model.open(folder);
        Session session = model.session(SessionOptions.defaults().withThreads(1))) {
      return session
          .run(
              Map.of(
                  "input_ids", Tensor.of(ids, 1, ids.length),
                  "attention_mask", Tensor.of(mask, 1, mask.length)))
          .get("logits")
          .toFloats();
    }
  }

  @Test
  void aDecoderThatClassifiesWritesNoText() throws Exception {
    Path given =
        Path.of(TaskHeadTest.class.getResource("/dev/filigree/families/llama-texts").toURI());
    try (Model model = Model.open(given)) {
      UnsupportedException refused =
          assertThrows(
              UnsupportedException.class, () -> model.decoder(DecoderOptions.defaults()).close());
      assertTrue(refused.getMessage().contains("no head that scores words"), refused.getMessage());
    }
  }
}
