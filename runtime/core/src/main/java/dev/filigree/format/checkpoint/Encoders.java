package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** Graphs of text encoders from their {@code config.json}, for the families of {@link Family}. */
final class Encoders {
  /** The lowest float: what transformers adds to scores of tokens that are masked. */
  private static final double MASKED = -Float.MAX_VALUE;

  private final EncoderConfig shape;
  private final Family family;
  private final JsonFile config;
  private final NetworkBuilder net;
  private final String prefix;
  private final int hidden;
  private final FeedForward feed;
  private final Projections projections;

  private Encoders(EncoderConfig shape, NetworkBuilder net) {
    this.shape = shape;
    this.family = shape.family();
    this.config = family.config();
    this.net = net;
    this.prefix = net.layers().prefix(module("words") + ".weight");
    this.hidden = shape.hidden();
    this.feed = new FeedForward(family, net, hidden, shape.wide(), shape.activation());
    this.projections = new Projections(shape, net);
  }

  /**
   * The graph of an encoder: {@code input_ids}, {@code attention_mask} and, where the model has
   * kinds of tokens, {@code token_type_ids} to {@code last_hidden_state}, and to what {@link
   * TaskHead} adds.
   *
   * @param family {@code model_type} of the config
   * @return nothing if the family is no encoder known here
   */
  static Optional<Graph> build(String family, JsonFile config, WeightSource layers) {
    if (!Family.ENCODERS.isKnown(family)) {
      return Optional.empty();
    }
    config
        .text("position_embedding_type")
        .filter(type -> !List.of("absolute", "rotary", "rope").contains(type))
        .ifPresent(
            type -> {
              throw new UnsupportedException(
                  config.file() + " numbers positions by '" + type + "'",
                  "the nearest supported kind is 'absolute'");
            });
    EncoderConfig shape = EncoderConfig.read(family, config).with(layers);
    return Optional.of(new Encoders(shape, new NetworkBuilder(layers)).graph(family));
  }

  private String module(String role) {
    return family.module(role).orElseThrow();
  }

  private Graph graph(String name) {
    String ids = net.tokens("input_ids");
    String mask = net.tokens("attention_mask");
    net.in(prefix + "embeddings");
    String numbers = net.positions(ids);
    String x = new EncoderEmbeddings(shape, net, prefix).of(ids, mask, numbers);
    WholeAttention attention = new WholeAttention(shape, net, prefix, numbers, bias(mask, numbers));
    Optional<Convolution> convolution = convolution();
    if (convolution.isPresent()) {
      x = net.op("Mul", x, net.toFloat(net.unsqueeze(mask, 2)));
    }
    for (int layer = 0; layer < shape.layers(); layer++) {
      String made = layer(layer, x, attention);
      x =
          layer == 0 && convolution.isPresent()
              ? normalized(
                  convolution.get().norm(), net.op("Add", made, convolution.get().of(x)), hidden)
              : made;
    }
    x = family.module("final").isPresent() ? normalized(prefix + module("final"), x, hidden) : x;
    net.output("last_hidden_state", x, hidden);
    if (family.has("pools_end")) {
      new EndPooling(family, net).add(ids, x, hidden);
    }
    new TaskHead(family, net, prefix, hidden, shape.epsilon()).add(ids, x, mask);
    return net.build(name);
  }

  /** What the larger ones of DeBERTa v2 add to their first layer, if the config has one. */
  private Optional<Convolution> convolution() {
    return family
        .module("convolution")
        .filter(name -> config.number("conv_kernel_size", 0, Convolution.MOST).orElse(0) > 0)
        .map(name -> new Convolution(shape, net, prefix + name));
  }

  private WholeAttention.Bias bias(String mask, String numbers) {
    if (!family.has("both_ways")) {
      Map<Integer, String> all = WholeAttention.biases(net, prefix, shape, mask, numbers);
      return (layer, q, k) -> all.get(shape.kinds().get(layer).window());
    }
    Map<Integer, String> masks = new HashMap<>();
    for (LayerKind kind : shape.kinds()) {
      masks.computeIfAbsent(
          kind.window(),
          reach -> reach == LayerKind.WHOLE ? mask(mask) : window(mask, numbers, reach));
    }
    Optional<String> table = family.module("relative").map(own -> prefix + own);
    RelativeBias relative = new RelativeBias(shape, net, numbers);
    if (shape.relativeScores() > 0) {
      String distances = distances(table.orElseThrow());
      return (layer, q, k) -> {
        String scores = relative.disentangled(distances, name(layer), q, k, shape.scores(layer));
        return net.op("Add", scores, masks.get(LayerKind.WHOLE));
      };
    }
    if (family.has("relative_by_layer")) {
      String own = family.module("relative").orElseThrow();
      return (layer, q, k) ->
          net.op("Add", relative.byBucket(name(layer) + own), masks.get(LayerKind.WHOLE));
    }
    boolean hasBuckets = !config.flag("relative_attention", false);
    if (hasBuckets && table.isPresent() && net.layers().has(table.get() + ".weight")) {
      String both = net.op("Add", relative.byBucket(table.get()), masks.get(LayerKind.WHOLE));
      return (layer, q, k) -> both;
    }
    return (layer, q, k) -> masks.get(shape.kinds().get(layer).window());
  }

  /** Embeddings of the distances that DeBERTa knows, {@code [2 span, hidden]}. */
  private String distances(String table) {
    net.in(table);
    int rows = 2 * RelativeBias.span(config);
    String all =
        net.op(
            "Gather",
            Map.of("axis", new Attribute.Int(0)),
            net.table(table, rows, hidden),
            net.op("Range", net.number(0), net.number(rows), net.number(1)));
    boolean isNormalized = config.text("norm_rel_ebd").orElse("none").contains("layer_norm");
    return isNormalized ? normalized(prefix + "encoder.LayerNorm", all, hidden) : all;
  }

  /** What is added to scores: {@code [batch, 1, 1, sequence]}, 0 or {@link #MASKED}. */
  private String mask(String mask) {
    net.in(prefix + "mask");
    String wide = net.toFloat(net.unsqueeze(mask, 1, 2));
    return net.op("Mul", net.op("Sub", net.scalar(1), wide), net.scalar(MASKED));
  }

  /** The same where tokens see so many to either side, {@code [batch, 1, sequence, sequence]}. */
  private String window(String mask, String numbers, int reach) {
    net.in(prefix + "mask" + reach);
    String apart =
        net.op("Abs", net.op("Sub", net.unsqueeze(numbers, 1), net.unsqueeze(numbers, 0)));
    return WholeAttention.hidden(net, mask, List.of(net.op("Greater", apart, net.number(reach))));
  }

  /** What the modules of a layer's names begin with; ALBERT's layers share them. */
  private String name(int layer) {
    String all = prefix + module("layer") + ".";
    return all + layer + ".";
  }

  private List<String> names(int layer) {
    if (!family.has("shared")) {
      return List.of(name(layer));
    }
    int groups = config.number("num_hidden_groups", 1, shape.layers()).orElse(1);
    int inner = config.number("inner_group_num", 1, 1000).orElse(1);
    int group = (int) ((long) layer * groups / shape.layers());
    return IntStream.range(0, inner)
        .mapToObj(i -> name(group) + "albert_layers." + i + ".")
        .toList();
  }

  private String layer(int number, String x, WholeAttention attention) {
    if (family.has("bottleneck")) {
      return new BottleneckLayer(shape, net).of(name(number), number, x, attention);
    }
    String y = x;
    for (String layer : names(number)) {
      y = layer(layer, number, y, attention);
    }
    return y;
  }

  private String layer(String layer, int number, String x, WholeAttention attention) {
    String attentionNorm = layer + module("attention_norm");
    String feedNorm = layer + module("feed_norm");
    if (family.has("norms_first")) {
      // ModernBERT's first layer has no normalisation of its own
      boolean isNormalized = number > 0 || net.hasScales(attentionNorm);
      String read = isNormalized ? normalized(attentionNorm, x, hidden) : x;
      String first = net.op("Add", x, attention(layer, number, read, attention));
      return net.op("Add", first, feed.of(layer, number, normalized(feedNorm, first, hidden)));
    }
    String joined = attention(layer, number, x, attention);
    String first = normalized(attentionNorm, net.op("Add", joined, x), hidden);
    return normalized(feedNorm, net.op("Add", feed.of(layer, number, first), first), hidden);
  }

  private String attention(String layer, int number, String x, WholeAttention attention) {
    String[] made = projections.of(layer, x, hidden);
    String output = layer + module("output");
    String self = output.substring(0, output.lastIndexOf('.') + 1);
    String attended = attention.attend(number, self, made[0], made[1], made[2], List.of());
    int queries = shape.heads() * shape.width();
    return net.linear(attended, output, hidden, queries);
  }

  private String normalized(String name, String x, int features) {
    return shape.normalized(net, name, x, features);
  }
}
