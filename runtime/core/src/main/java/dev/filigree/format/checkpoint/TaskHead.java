package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * What a network was trained to tell, made from its states: a class of the text or of every token,
 * the word that a mask hides, or where an answer begins and ends. Names and order of operations are
 * those of the transformers library.
 */
final class TaskHead {
  private static final System.Logger LOG = System.getLogger("dev.filigree");
  private static final int MAX_LABELS = 1 << 16;

  /** What the architecture of a config says a network is for. */
  private enum Task {
    SEQUENCE_CLASSIFICATION("ForSequenceClassification"),
    TOKEN_CLASSIFICATION("ForTokenClassification"),
    QUESTION_ANSWERING("ForQuestionAnswering"),
    MASKED_WORDS("ForMaskedLM");

    final String suffix;

    Task(String suffix) {
      this.suffix = suffix;
    }
  }

  private final Family family;
  private final JsonFile config;
  private final NetworkBuilder net;
  private final String prefix;
  private final int hidden;
  private final double epsilon;

  /**
   * The head of a network.
   *
   * @param prefix of the modules that networks without a head have too
   * @param hidden features of a state
   * @param epsilon of normalisations
   */
  TaskHead(Family family, NetworkBuilder net, String prefix, int hidden, double epsilon) {
    this.family = family;
    this.config = family.config();
    this.epsilon = epsilon;
    this.net = net;
    this.prefix = prefix;
    this.hidden = hidden;
  }

  /**
   * Adds the outputs of the head that the config names, as f32: {@code logits [batch, labels]} of a
   * text or {@code [batch, sequence, labels]} of its tokens, {@code start_logits} and {@code
   * end_logits [batch, sequence]}, or {@code logits [batch, sequence, vocabulary]} of masked words.
   * A head of another kind is left out, and the log says so.
   *
   * @param ids of the tokens {@code [batch, sequence]}
   * @param x states {@code [batch, sequence, hidden]}
   * @param mask 1 for each token that is none of padding {@code [batch, sequence]}
   */
  void add(String ids, String x, String mask) {
    Optional<Task> known = task();
    if (known.isPresent()) {
      add(known.get(), ids, x, mask);
      return;
    }
    for (String architecture : config.texts("architectures")) {
      if (architecture.matches(".*For[A-Z].*")) {
        LOG.log(
            System.Logger.Level.INFO,
            "the head of {0} is left out; the output is last_hidden_state",
            architecture);
      }
    }
  }

  /** Whether the folder holds a head that is known here. */
  boolean isKnown() {
    return task().isPresent();
  }

  private Optional<Task> task() {
    return config.texts("architectures").stream()
        .flatMap(name -> Arrays.stream(Task.values()).filter(task -> name.endsWith(task.suffix)))
        .filter(task -> net.layers().hasLayer(last(task)))
        .findFirst();
  }

  /** The module that a head ends with; a folder without it holds the layers alone. */
  private String last(Task task) {
    return switch (task) {
      case SEQUENCE_CLASSIFICATION -> about("last");
      case TOKEN_CLASSIFICATION -> about("tokens");
      case QUESTION_ANSWERING -> about("answers");
      // what comes behind it may be the table of words
      case MASKED_WORDS ->
          about("masked", "dense").isEmpty() ? about("masked", "last") : about("masked", "dense");
    };
  }

  /** What the family says of its head for classes. */
  private String about(String key) {
    return about("head", key);
  }

  private String about(String head, String key) {
    return family.about().object(head).flatMap(own -> own.text(key)).orElse("");
  }

  private void add(Task task, String ids, String x, String mask) {
    Dim batch = Dim.symbol("batch");
    Dim sequence = Dim.symbol("sequence");
    switch (task) {
      case SEQUENCE_CLASSIFICATION ->
          net.output("logits", ofText(ids, x, mask), batch, Dim.of(labels()));
      case TOKEN_CLASSIFICATION ->
          net.output(
              "logits",
              net.linear(ofToken(x), about("tokens"), labels(), hidden),
              batch,
              sequence,
              Dim.of(labels()));
      case QUESTION_ANSWERING -> {
        String both = net.linear(ofToken(x), about("answers"), 2, hidden);
        net.output("start_logits", pick(both, 2, 0), batch, sequence);
        net.output("end_logits", pick(both, 2, 1), batch, sequence);
      }
      case MASKED_WORDS -> {
        int vocabulary = config.required("vocab_size", 1, AttentionShape.MAX_EXTENT);
        net.output("logits", ofWords(x, vocabulary), batch, sequence, Dim.of(vocabulary));
      }
    }
  }

  /** Scores of all words for each token, by the table of words or a layer of their own. */
  private String ofWords(String x, int vocabulary) {
    String dense = about("masked", "dense");
    if (dense.isEmpty()) {
      return net.linear(x, about("masked", "last"), vocabulary, hidden);
    }
    int width = net.layers().rows(dense);
    String made =
        Activations.apply(net, net.linear(x, dense, width, hidden), function("masked"), config);
    String normal = net.layerNormalization(made, about("masked", "norm"), width, epsilon);
    String last = about("masked", "last");
    boolean isTied = config.flag("tie_word_embeddings", true) || !net.layers().hasLayer(last);
    String words = prefix + family.module("words").orElseThrow();
    String scores = scores(normal, isTied ? words : last, vocabulary, width);
    String bias = about("masked", "bias");
    boolean hasOwn = !isTied && net.layers().has(last + ".bias");
    return hasOwn || !net.layers().has(bias)
        ? scores
        : net.op("Add", scores, net.vector(bias, vocabulary));
  }

  /** MobileBERT's words have fewer features than states; a layer of its own reads the others. */
  private String scores(String normal, String words, int vocabulary, int width) {
    String rest = about("masked", "rest");
    if (rest.isEmpty()) {
      return net.linear(normal, words, vocabulary, width);
    }
    int own = config.required("embedding_size", 1, width);
    String ofWords = net.linear(net.slice(normal, 0, own), words, vocabulary, own);
    if (own == width) {
      return ofWords;
    }
    String others = net.slice(normal, own, width);
    // published the other way around than layers are; compressed forms have it as they do
    boolean isTurned = net.layers().rows(rest) != vocabulary;
    return net.op("Add", ofWords, net.linear(others, rest, vocabulary, width - own, isTurned));
  }

  private String ofText(String ids, String x, String mask) {
    net.in(about("last"));
    String pooling = config.text("classifier_pooling").orElse(about("pooling"));
    if (pooling.equals("late")) {
      String ofTokens = net.linear(dense(x), about("last"), labels(), hidden);
      return mean(ofTokens, mask);
    }
    String text =
        switch (pooling) {
          case "cls", "bos" -> pick(x, 1, 0);
          case "mean" -> mean(x, mask);
          case "last" -> last(ids, x, mask);
          default ->
              throw new UnsupportedException(
                  config.file() + " sets 'classifier_pooling' to '" + pooling + "'",
                  "the nearest supported are cls, bos, mean and late");
        };
    return net.linear(dense(text), about("last"), labels(), hidden);
  }

  /**
   * The last token that is no padding, {@code [batch, hidden]}: of another id than padding, as
   * transformers has it, whatever the mask says, or by the mask where padding has no id.
   */
  private String last(String ids, String x, String mask) {
    String isPadding =
        config
            .number("pad_token_id", -1, AttentionShape.MAX_EXTENT)
            .map(padding -> net.op("Equal", ids, net.number(padding)))
            .orElseGet(() -> net.op("Equal", mask, net.number(0)));
    String place = net.op("Where", isPadding, net.number(0), net.positions(ids));
    String last =
        net.op(
            "ReduceMax",
            Map.of("axes", NetworkBuilder.ints(1), "keepdims", new Attribute.Int(1)),
            place);
    return net.op("GatherND", Map.of("batch_dims", new Attribute.Int(1)), x, last);
  }

  /** The mean of the tokens that are no padding, {@code [batch, hidden]}. */
  private String mean(String x, String mask) {
    String weights = net.toFloat(net.unsqueeze(mask, 2));
    Map<String, Attribute> flat = Map.of("keepdims", new Attribute.Int(0));
    String axes = net.longs(1);
    String sum = net.op("ReduceSum", flat, net.op("Mul", x, weights), axes);
    return net.op("Div", sum, net.op("ReduceSum", flat, weights, axes));
  }

  /** ModernBERT's head works on tokens as it does on texts; others' classify states. */
  private String ofToken(String x) {
    return about("norm").isEmpty() ? x : dense(x);
  }

  private String dense(String x) {
    if (about("dense").isEmpty()) {
      return x;
    }
    boolean isInside =
        family.about().object("head").map(head -> head.flag("inside", false)).orElse(false);
    String module = (isInside ? prefix : "") + about("dense");
    String made =
        Activations.apply(net, net.linear(x, module, hidden, hidden), function("head"), config);
    return about("norm").isEmpty()
        ? made
        : net.layerNormalization(made, about("norm"), hidden, epsilon);
  }

  /**
   * The function behind a head's layer: the one that the config names by the key of its family, or
   * else the usual one.
   */
  private String function(String head) {
    return config.text(about(head, "activation")).orElse(about(head, "function"));
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
