package dev.filigree.format.checkpoint;

import dev.filigree.graph.Attribute;
import java.util.Map;
import java.util.Optional;

/** What the first layer of an encoder reads: rows of tables, added and normalised. */
final class EncoderEmbeddings {
  /** The share of tokens that ESM's training masked and did not show in their place. */
  private static final double HIDDEN_IN_TRAINING = 0.15 * 0.8;

  /** Words side by side in MobileBERT's embeddings. */
  private static final int NEIGHBOURS = 3;

  private static final Map<String, Attribute> TO_LONG = Map.of("to", new Attribute.Int(7));

  private final EncoderConfig shape;
  private final Family family;
  private final JsonFile config;
  private final NetworkBuilder net;
  private final String prefix;

  /**
   * Embeddings.
   *
   * @param prefix of the network's modules
   */
  EncoderEmbeddings(EncoderConfig shape, NetworkBuilder net, String prefix) {
    this.shape = shape;
    this.family = shape.family();
    this.config = family.config();
    this.net = net;
    this.prefix = prefix;
  }

  /**
   * States {@code [batch, sequence, hidden]}.
   *
   * @param ids of the tokens {@code [batch, sequence]}
   * @param mask 1 for each token that is none of padding {@code [batch, sequence]}
   * @param numbers positions {@code [sequence]}
   */
  String of(String ids, String mask, String numbers) {
    String project = family.module("project").map(own -> prefix + own).orElse("");
    // tables may be narrower than layers
    boolean isNarrow = !project.isEmpty() && net.layers().hasLayer(project);
    int width = shape.narrow(isNarrow);
    String words = prefix + family.module("words").orElseThrow();
    String x = net.gather(net.table(words, shape.vocabulary(), width), ids);
    if (config.flag("token_dropout", false)) {
      x = scaled(x, ids, mask);
    }
    if (family.has("bottleneck")) {
      x = widened(x, project, width);
      isNarrow = false;
      width = shape.hidden();
    }
    String ofKinds = prefix + family.module("kinds").orElse("");
    int kinds = kinds(ofKinds);
    if (kinds > 0) {
      String table = net.table(ofKinds, kinds, width);
      x = net.op("Add", x, net.gather(table, net.tokens("token_type_ids")));
    }
    if (family.module("task").isPresent()) {
      // no task is named: transformers takes the first one
      String table = net.table(prefix + family.module("task").get(), tasks(), width);
      x = net.op("Add", x, net.gather(table, net.number(0)));
    }
    String places =
        switch (family.positions()) {
          case LEARNED -> numbers;
          case PADDED -> numbersAfterPadding(ids);
          case ROTARY, ALIBI, SINUSOIDAL, NONE -> "";
        };
    if (!places.isEmpty()) {
      int positions =
          config.required("max_position_embeddings", 1, EncoderConfig.MAX_EXTENT) + family.offset();
      String table = net.table(prefix + family.module("positions").orElseThrow(), positions, width);
      x = net.op("Add", x, net.gather(table, places));
    }
    if (isNarrow && family.has("projects_first")) {
      x = net.linear(x, project, shape.hidden(), width);
      isNarrow = false;
      width = shape.hidden();
    }
    Optional<String> first = family.module("first").map(own -> prefix + own);
    if (first.isPresent()) {
      x =
          family.has("bottleneck")
              ? shape.normalized(net, first.get(), x, width, BottleneckLayer.OWN_EPSILON)
              : shape.normalized(net, first.get(), x, width);
    }
    return isNarrow ? net.linear(x, project, shape.hidden(), width) : x;
  }

  /** MobileBERT's words as wide as states, with those beside them unless the config leaves them. */
  private String widened(String x, String project, int width) {
    if (config.flag("trigram_input", true)) {
      return net.linear(withNeighbours(x), project, shape.hidden(), NEIGHBOURS * width);
    }
    return width == shape.hidden() ? x : net.linear(x, project, shape.hidden(), width);
  }

  /**
   * MobileBERT's words, each between the next one and the one before; beyond the ends are zeros.
   */
  private String withNeighbours(String x) {
    String none = net.times(part(x, 0, 1), 0);
    String next = net.concat(1, part(x, 1, Integer.MAX_VALUE), none);
    String before = net.concat(1, none, part(x, 0, -1));
    return net.concat(-1, next, x, before);
  }

  /** A part of the tokens. */
  private String part(String x, long from, long to) {
    return net.op("Slice", x, net.longs(from), net.longs(to), net.longs(1));
  }

  /**
   * ESM's words: those that a mask hides are zero, and the others count the more the fewer they
   * are, as in training.
   */
  private String scaled(String x, String ids, String mask) {
    int hiding = config.required("mask_token_id", 0, EncoderConfig.MAX_EXTENT);
    String isHidden = net.op("Equal", ids, net.number(hiding));
    String shown = net.op("Where", net.unsqueeze(isHidden, 2), net.scalar(0), x);
    String share = net.op("Div", count(net.toFloat(isHidden)), count(net.toFloat(mask)));
    String kept = net.unsqueeze(net.op("Sub", net.scalar(1), share), 2);
    return net.op("Div", net.times(shown, 1 - HIDDEN_IN_TRAINING), kept);
  }

  /** The sum of each text's numbers, {@code [batch, 1]}. */
  private String count(String x) {
    return net.op("ReduceSum", x, net.longs(1));
  }

  /**
   * Kinds of tokens, 0 where the network has none; where the configuration leaves a default out, as
   * many as the table has rows.
   */
  private int kinds(String table) {
    if (!family.has("has_kinds") || !net.layers().has(table + ".weight")) {
      return 0;
    }
    return config
        .number("type_vocab_size", 0, EncoderConfig.MAX_EXTENT)
        .orElseGet(() -> net.layers().rows(table));
  }

  private int tasks() {
    return config.required("task_type_vocab_size", 1, EncoderConfig.MAX_EXTENT);
  }

  /** RoBERTa counts tokens that are no padding, from the number after that of padding on. */
  private String numbersAfterPadding(String ids) {
    int padding = config.number("pad_token_id", 0, EncoderConfig.MAX_EXTENT).orElse(1);
    String isToken = net.op("Not", net.op("Equal", ids, net.number(padding)));
    String ones = net.op("Cast", TO_LONG, isToken);
    String counted = net.op("CumSum", ones, net.number(1));
    return net.op("Add", net.op("Mul", counted, ones), net.number(padding));
  }
}
