package dev.filigree.format.checkpoint;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import java.util.Map;

/**
 * What an encoder was trained to tell, made from its states: a class of the text or of every token,
 * or where an answer begins and ends. Names and order of operations are those of the transformers
 * library.
 */
final class EncoderHead {
  private static final System.Logger LOG = System.getLogger("dev.filigree");
  private static final int MAX_LABELS = 1 << 16;
  private static final String CLASSIFIER = "classifier";
  private static final String ANSWERS = "qa_outputs";

  /** What the architecture of a config says a network is for. */
  private enum Task {
    SEQUENCE_CLASSIFICATION("ForSequenceClassification"),
    TOKEN_CLASSIFICATION("ForTokenClassification"),
    QUESTION_ANSWERING("ForQuestionAnswering");

    final String suffix;

    Task(String suffix) {
      this.suffix = suffix;
    }
  }

  private final JsonFile config;
  private final NetworkBuilder net;
  private final String prefix;
  private final int hidden;

  /**
   * The head of an encoder.
   *
   * @param prefix of the encoder's own modules
   * @param hidden features of a state
   */
  EncoderHead(JsonFile config, NetworkBuilder net, String prefix, int hidden) {
    this.config = config;
    this.net = net;
    this.prefix = prefix;
    this.hidden = hidden;
  }

  /**
   * Adds the outputs of the head that the config names, as f32: {@code logits [batch, labels]} of a
   * text or {@code [batch, sequence, labels]} of its tokens, or {@code start_logits} and {@code
   * end_logits [batch, sequence]}. A head of another kind is left out, and the log says so.
   *
   * @param family {@code model_type} of the config
   * @param x states {@code [batch, sequence, hidden]}
   */
  void add(String family, String x) {
    for (String architecture : config.texts("architectures")) {
      for (Task task : Task.values()) {
        if (architecture.endsWith(task.suffix) && net.layers().hasLayer(last(task, family))) {
          add(task, family, x);
          return;
        }
      }
      if (architecture.contains("For")) {
        LOG.log(
            System.Logger.Level.INFO,
            "the head of {0} is left out; the output is last_hidden_state",
            architecture);
      }
    }
  }

  /** The module that a head ends with; a folder without it holds the encoder alone. */
  private static String last(Task task, String family) {
    return switch (task) {
      case SEQUENCE_CLASSIFICATION -> ofText(family);
      case TOKEN_CLASSIFICATION -> CLASSIFIER;
      case QUESTION_ANSWERING -> ANSWERS;
    };
  }

  private static String ofText(String family) {
    return family.equals("bert") || family.equals("distilbert")
        ? CLASSIFIER
        : CLASSIFIER + ".out_proj";
  }

  private void add(Task task, String family, String x) {
    Dim batch = Dim.symbol("batch");
    Dim sequence = Dim.symbol("sequence");
    switch (task) {
      case SEQUENCE_CLASSIFICATION ->
          net.output("logits", ofText(family, x), batch, Dim.of(labels()));
      case TOKEN_CLASSIFICATION ->
          net.output(
              "logits",
              net.linear(x, CLASSIFIER, labels(), hidden),
              batch,
              sequence,
              Dim.of(labels()));
      case QUESTION_ANSWERING -> {
        String both = net.linear(x, ANSWERS, 2, hidden);
        net.output("start_logits", pick(both, 2, 0), batch, sequence);
        net.output("end_logits", pick(both, 2, 1), batch, sequence);
      }
    }
  }

  private String ofText(String family, String x) {
    String first = pick(x, 1, 0);
    String pooled =
        switch (family) {
          case "bert" -> dense(first, prefix + "pooler.dense", "tanh");
          case "distilbert" -> dense(first, "pre_classifier", "relu");
          case "electra" -> dense(first, CLASSIFIER + ".dense", "gelu");
          default -> dense(first, CLASSIFIER + ".dense", "tanh");
        };
    return net.linear(pooled, ofText(family), labels(), hidden);
  }

  private String dense(String x, String module, String activation) {
    return Activations.apply(net, net.linear(x, module, hidden, hidden), activation, config);
  }

  /** One place of an axis, which goes. */
  private String pick(String x, int axis, int place) {
    return net.op("Gather", Map.of("axis", new Attribute.Int(axis)), x, net.number(place));
  }

  /** As many as have names, which configs tell where there are not two. */
  private int labels() {
    return config
        .object("id2label")
        .map(names -> Math.clamp(names.node().size(), 1, MAX_LABELS))
        .or(() -> config.number("num_labels", 1, MAX_LABELS))
        .orElse(2);
  }
}
