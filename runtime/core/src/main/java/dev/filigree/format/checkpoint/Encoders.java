package dev.filigree.format.checkpoint;

import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Graphs of text encoders from their {@code config.json}: BERT (also MiniLM), RoBERTa (also
 * XLM-RoBERTa), MPNet and DistilBERT, as transformers 4 computes them. They differ in the names of
 * their modules, in how they number positions, and in MPNet's relative position bias.
 */
final class Encoders {
  private static final int MAX_LAYERS = 1000;
  private static final int MAX_EXTENT = 1 << 24;

  /** The lowest float: what transformers adds to scores of tokens that are masked. */
  private static final double MASKED = -Float.MAX_VALUE;

  private final JsonFile config;
  private final Names names;
  private final NetworkBuilder net;
  private final String prefix;
  private final int hidden;
  private final int heads;
  private final double epsilon;

  /** What the modules of a family are called. */
  private enum Names {
    BERT(
        "encoder.layer.",
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "attention.output.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm"),
    MPNET(
        "encoder.layer.",
        "attention.attn.q",
        "attention.attn.k",
        "attention.attn.v",
        "attention.attn.o",
        "attention.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm"),
    DISTILBERT(
        "transformer.layer.",
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm");

    final String layer;
    final String query;
    final String key;
    final String value;
    final String join;
    final String attentionNorm;
    final String widen;
    final String narrow;
    final String outputNorm;

    Names(
        String layer,
        String query,
        String key,
        String value,
        String join,
        String attentionNorm,
        String widen,
        String narrow,
        String outputNorm) {
      this.layer = layer;
      this.query = query;
      this.key = key;
      this.value = value;
      this.join = join;
      this.attentionNorm = attentionNorm;
      this.widen = widen;
      this.narrow = narrow;
      this.outputNorm = outputNorm;
    }
  }

  private Encoders(JsonFile config, Names names, LayerReader layers) {
    this.config = config;
    this.names = names;
    this.net = new NetworkBuilder(layers);
    this.prefix = layers.prefix("embeddings.word_embeddings.weight");
    this.hidden = either("hidden_size", "dim", MAX_EXTENT);
    this.heads = either("num_attention_heads", "n_heads", hidden);
    this.epsilon = config.real("layer_norm_eps", 0, 1).orElse(1e-12);
    if (hidden % heads != 0) {
      throw new UnsupportedException(
          config.file() + " divides " + hidden + " features among " + heads + " heads",
          "use a model whose heads are of one width");
    }
  }

  /**
   * The graph of an encoder: {@code input_ids}, {@code attention_mask} and, where the model has
   * kinds of tokens, {@code token_type_ids} to {@code last_hidden_state}, and to what {@link
   * EncoderHead} adds.
   *
   * @param family {@code model_type} of the config
   * @return nothing if the family is no encoder known here
   */
  static Optional<Graph> build(String family, JsonFile config, LayerReader layers) {
    Optional<Names> names =
        switch (family) {
          case "bert", "electra", "roberta", "xlm-roberta", "camembert" -> Optional.of(Names.BERT);
          case "mpnet" -> Optional.of(Names.MPNET);
          case "distilbert" -> Optional.of(Names.DISTILBERT);
          default -> Optional.empty();
        };
    return names.map(found -> new Encoders(config, found, layers).graph(family));
  }

  private int either(String key, String other, int most) {
    return config.number(key, 1, most).orElseGet(() -> config.required(other, 1, most));
  }

  private Graph graph(String family) {
    config
        .text("position_embedding_type")
        .filter(type -> !type.equals("absolute"))
        .ifPresent(
            type -> {
              throw new UnsupportedException(
                  config.file() + " numbers positions by '" + type + "'",
                  "the nearest supported kind is 'absolute'");
            });
    boolean padded = !List.of("bert", "electra", "distilbert").contains(family);
    String ids = net.tokens("input_ids");
    String mask = net.tokens("attention_mask");
    String x = embed(ids, padded);
    String bias = mask(mask);
    if (names == Names.MPNET) {
      bias = net.op("Add", relativeBias(ids), bias);
    }
    int layers = either("num_hidden_layers", "n_layers", MAX_LAYERS);
    for (int layer = 0; layer < layers; layer++) {
      x = layer(prefix + names.layer + layer + ".", x, bias);
    }
    net.output("last_hidden_state", x, hidden);
    new EncoderHead(config, net, prefix, hidden).add(family, x);
    return net.build(family);
  }

  private String embed(String ids, boolean padded) {
    String embeddings = prefix + "embeddings";
    net.in(embeddings);
    int vocabulary = config.required("vocab_size", 1, MAX_EXTENT);
    int positions = config.required("max_position_embeddings", 1, MAX_EXTENT);
    String project = prefix + "embeddings_project";
    // ELECTRA's tables may be narrower than its layers
    boolean isNarrow = net.layers().has(project + ".weight");
    int width = isNarrow ? config.required("embedding_size", 1, MAX_EXTENT) : hidden;
    String words = net.gather(net.table(embeddings + ".word_embeddings", vocabulary, width), ids);
    int kinds = names == Names.BERT ? config.number("type_vocab_size", 0, MAX_EXTENT).orElse(0) : 0;
    String sum = words;
    if (kinds > 0 && net.layers().has(embeddings + ".token_type_embeddings.weight")) {
      String table = net.table(embeddings + ".token_type_embeddings", kinds, width);
      sum = net.op("Add", sum, net.gather(table, net.tokens("token_type_ids")));
    }
    String numbers = padded ? numbersAfterPadding(ids) : net.positions(ids);
    String table = net.table(embeddings + ".position_embeddings", positions, width);
    sum = net.op("Add", sum, net.gather(table, numbers));
    String x = net.layerNormalization(sum, embeddings + ".LayerNorm", width, epsilon);
    return isNarrow ? net.linear(x, project, hidden, width) : x;
  }

  /** RoBERTa counts tokens that are no padding, from the number after that of padding on. */
  private String numbersAfterPadding(String ids) {
    int padding = config.number("pad_token_id", 0, MAX_EXTENT).orElse(1);
    String isToken = net.op("Not", net.op("Equal", ids, net.number(padding)));
    String ones = net.op("Cast", Map.of("to", new Attribute.Int(7)), isToken);
    String counted = net.op("CumSum", ones, net.number(1));
    return net.op("Add", net.op("Mul", counted, ones), net.number(padding));
  }

  /** What is added to scores: {@code [batch, 1, 1, sequence]}, 0 or {@link #MASKED}. */
  private String mask(String mask) {
    net.in(prefix + "mask");
    String wide = net.toFloat(net.unsqueeze(mask, 1, 2));
    return net.op("Mul", net.op("Sub", net.scalar(1), wide), net.scalar(MASKED));
  }

  /**
   * MPNet's bias of scores by the distance of two tokens, {@code [1, heads, sequence, sequence]}.
   */
  private String relativeBias(String ids) {
    String bias = prefix + "encoder.relative_attention_bias";
    net.in(bias);
    int buckets = config.number("relative_attention_num_buckets", 2, 1 << 16).orElse(32);
    int positions = config.required("max_position_embeddings", 1, 1 << 20);
    // distances are looked up in a table of all of them, 0 standing in its middle
    long[] bucketOf = new long[2 * positions - 1];
    for (int i = 0; i < bucketOf.length; i++) {
      bucketOf[i] = bucket(i - (positions - 1), buckets);
    }
    String numbers = net.positions(ids);
    String distance = net.op("Sub", net.unsqueeze(numbers, 0), net.unsqueeze(numbers, 1));
    String place = net.op("Add", distance, net.number(positions - 1));
    String found = net.gather(net.constant(Tensor.of(bucketOf, bucketOf.length)), place);
    String values = net.gather(net.table(bias, buckets, heads), found);
    return net.unsqueeze(net.transpose(values, 2, 0, 1), 0);
  }

  /**
   * The bucket of the distance from query to key: half of the buckets for either direction, of
   * these half for single distances and the rest growing by powers up to 128 (C. Raffel et al.,
   * Exploring the Limits of Transfer Learning, 2020).
   */
  static int bucket(int distance, int buckets) {
    int half = buckets / 2;
    int exact = half / 2;
    int from = distance > 0 ? half : 0;
    int steps = Math.abs(distance);
    if (steps < exact) {
      return from + steps;
    }
    int far =
        exact
            + (int)
                ((float) (Math.log((float) steps / exact) / Math.log(128.0 / exact))
                    * (half - exact));
    return from + Math.min(far, half - 1);
  }

  private String layer(String layer, String x, String bias) {
    String attended = attention(layer, x, bias);
    String joined = net.linear(attended, layer + names.join, hidden, hidden);
    String first =
        net.layerNormalization(
            net.op("Add", joined, x), layer + names.attentionNorm, hidden, epsilon);
    int wide = either("intermediate_size", "hidden_dim", MAX_EXTENT);
    String widened =
        Activations.apply(
            net, net.linear(first, layer + names.widen, wide, hidden), activation(), config);
    String narrowed = net.linear(widened, layer + names.narrow, hidden, wide);
    return net.layerNormalization(
        net.op("Add", narrowed, first), layer + names.outputNorm, hidden, epsilon);
  }

  private String activation() {
    return config.text("hidden_act").or(() -> config.text("activation")).orElse("gelu");
  }

  private String attention(String layer, String x, String bias) {
    int width = hidden / heads;
    String q = net.linear(x, layer + names.query, hidden, hidden);
    String queries = net.transpose(net.reshape(q, 0, 0, heads, width), 0, 2, 1, 3);
    String k = net.linear(x, layer + names.key, hidden, hidden);
    String keys = net.transpose(net.reshape(k, 0, 0, heads, width), 0, 2, 3, 1);
    String v = net.linear(x, layer + names.value, hidden, hidden);
    String values = net.transpose(net.reshape(v, 0, 0, heads, width), 0, 2, 1, 3);
    String scores = net.op("Div", net.op("MatMul", queries, keys), net.scalar(Math.sqrt(width)));
    String shares =
        net.op("Softmax", Map.of("axis", new Attribute.Int(-1)), net.op("Add", scores, bias));
    return net.reshape(net.transpose(net.op("MatMul", shares, values), 0, 2, 1, 3), 0, 0, hidden);
  }
}
