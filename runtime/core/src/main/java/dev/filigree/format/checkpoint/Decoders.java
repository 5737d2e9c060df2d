package dev.filigree.format.checkpoint;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import dev.filigree.kernel.fused.LinearBias;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Graphs of decoders from their {@code config.json}, for the families of {@link Family}: the layers
 * in order, written by a {@link NetworkBuilder}, whichever way attention is computed.
 */
final class Decoders {
  /** Number of bf16 among ONNX's types. */
  private static final int BF16 = 16;

  private final JsonFile config;
  private final NetworkBuilder net;
  private final String prefix;
  private final DecoderConfig shape;
  private final Family family;
  private final int hidden;
  private final FeedForward feed;
  private final Projections projections;

  /** How a layer attends. */
  interface Attention {
    /** Whether it normalises each head's queries and keys by the root of their mean square. */
    default boolean normalizesHeads() {
      return false;
    }

    /**
     * Attention of a layer.
     *
     * @param layer its number
     * @param self name for what it makes
     * @param q queries {@code [batch, sequence, heads * width]}
     * @param k keys {@code [batch, sequence, keyHeads * width]}
     * @param v values, as keys
     * @param scales of the normalisations of queries and keys, if it is to do these
     * @return a value of the shape of the queries
     */
    String attend(int layer, String self, String q, String k, String v, List<String> scales);
  }

  /**
   * The layers of a decoder.
   *
   * @param shape of it
   */
  Decoders(DecoderConfig shape, NetworkBuilder net) {
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
   * The graph of a decoder: {@code input_ids} and {@code attention_mask} to {@code logits} of
   * words, or to {@code last_hidden_state} and what {@link TaskHead} adds where the folder holds no
   * head that scores words.
   *
   * @param family {@code model_type} of the config
   * @return nothing if the family is no decoder known here
   */
  static Optional<Graph> build(String family, JsonFile config, WeightSource layers) {
    if (!Family.DECODERS.isKnown(family)) {
      return Optional.empty();
    }
    DecoderConfig shape = DecoderConfig.read(family, config);
    NetworkBuilder net = new NetworkBuilder(layers);
    return Optional.of(new Decoders(shape, net).wholeSequences(family));
  }

  private Graph wholeSequences(String family) {
    String ids = net.tokens("input_ids");
    String mask = net.tokens("attention_mask");
    String numbers = net.positions(ids);
    String places = this.family.has("counted") ? counted(mask) : numbers;
    String x = words(ids, places);
    Map<Integer, String> biases = WholeAttention.biases(net, prefix, shape, mask, numbers);
    if (shape.bias().isPresent()) {
      String counting = shape.bias().fromLast() ? fromLast(numbers) : numbers;
      String byPlace = byPlace(this.family.has("counted") ? places : net.unsqueeze(counting, 0));
      biases.replaceAll((window, hidden) -> net.op("Add", hidden, byPlace));
    }
    WholeAttention attention =
        new WholeAttention(
            shape,
            net,
            prefix,
            numbers,
            (layer, q, k) -> biases.get(shape.kinds().get(layer).window()));
    x = last(layers(x, attention));
    if (isHeadless()) {
      net.output("last_hidden_state", x, shape.narrow());
      head().add(ids, x, mask);
    } else {
      net.output("logits", logits(x), shape.vocabulary());
    }
    return net.build(family);
  }

  /** Places of tokens among those that are no padding, which is -1 {@code [batch, sequence]}. */
  private String counted(String mask) {
    net.in(prefix + "places");
    String counted = net.op("CumSum", mask, net.number(1));
    return net.op("Sub", net.op("Mul", counted, mask), net.number(1));
  }

  /** Numbers less the last of them, {@code [sequence]}. */
  private String fromLast(String numbers) {
    net.in(prefix + "places");
    return net.op("Sub", numbers, net.op("ReduceMax", numbers));
  }

  /**
   * What is added to scores by the places of keys, {@code [batch, heads, 1, sequence]}.
   *
   * @param places {@code [batch, sequence]}, or a batch of 1 for all texts
   */
  private String byPlace(String places) {
    LinearBias bias = shape.bias();
    net.in(prefix + "bias");
    float[] slopes = new float[shape.heads()];
    for (int head = 0; head < slopes.length; head++) {
      slopes[head] = bias.slopes().get(head);
    }
    String all = net.constant(Tensor.of(slopes, 1, slopes.length, 1, 1));
    String products = net.op("Mul", all, rounded(net.toFloat(net.unsqueeze(places, 1, 2)), bias));
    return net.times(rounded(products, bias), bias.factor());
  }

  private String rounded(String x, LinearBias bias) {
    return bias.rounded()
        ? net.toFloat(net.op("Cast", Map.of("to", new Attribute.Int(BF16)), x))
        : x;
  }

  /**
   * Whether the folder holds no head that scores words: that of a model for embeddings, or one with
   * a head of another kind.
   */
  boolean isHeadless() {
    if (head().isKnown()) {
      return true;
    }
    List<String> architectures = config.texts("architectures");
    boolean writes =
        architectures.isEmpty()
            || architectures.stream().anyMatch(name -> name.matches(".*(CausalLM|LMHead.*)"));
    return !writes && !net.layers().hasLayer(module("head"));
  }

  private TaskHead head() {
    return new TaskHead(family, net, prefix, shape.narrow(), shape.epsilon());
  }

  private String module(String role) {
    return family.module(role).orElseThrow();
  }

  /** The states that the first layer reads. */
  String words(String ids, String numbers) {
    String x = net.words(prefix + module("words"), shape.vocabulary(), shape.narrow(), ids);
    x = net.times(x, family.factor("words", shape.width()));
    x = narrowed("narrow_in", normalized("words_norm", prefix, x), hidden, shape.narrow());
    if (family.isTabled()) {
      String places =
          family.offset() == 0 ? numbers : net.op("Add", numbers, net.number(family.offset()));
      String table = prefix + module("positions");
      boolean isLearned = family.positions() == Family.Positions.LEARNED;
      String added =
          isLearned
              ? net.words(table, shape.positions(), hidden, places)
              : net.in(table).gather(net.constant(shape.sinusoids()), places);
      x = net.op("Add", x, added);
    }
    return x;
  }

  private String narrowed(String role, String x, int out, int in) {
    return family
        .module(role)
        .map(name -> prefix + name)
        .filter(net.layers()::hasLayer)
        .map(name -> net.linear(x, name, out, in))
        .orElse(x);
  }

  /** All layers. */
  String layers(String words, Attention attention) {
    String x = words;
    for (int layer = 0; layer < shape.layers(); layer++) {
      x = layer(prefix + module("layer") + "." + layer + ".", layer, x, attention);
    }
    return x;
  }

  /** The scores of all words, behind the last normalisation. */
  String logits(String states) {
    // what a head holds goes before what a config says of it, as in transformers
    boolean tied = !net.layers().hasLayer(module("head"));
    String head = tied ? prefix + module("words") : module("head");
    String read = family.module("head_dense").map(name -> transformed(states, name)).orElse(states);
    String scores = net.linear(read, head, shape.vocabulary(), shape.narrow());
    String bias = module("head") + ".bias";
    if (tied && net.layers().has(bias)) {
      scores = net.op("Add", scores, net.vector(bias, shape.vocabulary()));
    }
    double cap = shape.cap("final_logit_softcapping");
    return net.capped(net.times(scores, family.factor("logits", shape.width())), cap);
  }

  /** States as a head reads them that has a layer of its own in front of the words' scores. */
  private String transformed(String states, String dense) {
    String made = net.linear(states, dense, shape.narrow(), shape.narrow());
    String function = config.text("classifier_activation").orElse("gelu");
    return normalizedBy(
        module("head_norm"), net.activation(made, function, config), shape.narrow());
  }

  /**
   * The last normalisation, and the layer that makes states as narrow as words, if there is one.
   */
  String last(String x) {
    return narrowed("narrow_out", normalized("final", prefix, x), shape.narrow(), hidden);
  }

  private String layer(String layer, int number, String x, Attention attention) {
    boolean last = family.has("norms_last");
    boolean bare = last || number == 0 && family.has("bare_first");
    String normal = bare ? x : normalized("before_attention", layer, x);
    String attended = attention(layer, number, normal, attention);
    boolean summed = family.has("norms_summed");
    String first = add(summed ? normal : x, normalized("after_attention", layer, attended));
    if (last) {
      first = normalized("before_attention", layer, first);
    }
    String read = family.has("parallel") ? x : first;
    String second = last ? first : normalized("before_feed", layer, read, x, normal);
    String fed = normalized("after_feed", layer, feed.of(layer, number, second));
    String sum = add(summed ? second : first, fed);
    return last ? normalized("before_feed", layer, sum) : sum;
  }

  /** As the normalisation in front of attention where both are the same one. */
  private String normalized(String role, String owner, String read, String x, String normal) {
    boolean isSame =
        read.equals(x) && family.module(role).equals(family.module("before_attention"));
    return isSame ? normal : normalized(role, owner, read);
  }

  private String add(String x, String made) {
    return net.residual(x, net.times(made, family.factor("residual", shape.width())));
  }

  private String normalized(String role, String owner, String x) {
    return family.module(role).map(name -> normalizedBy(owner + name, x, hidden)).orElse(x);
  }

  private String normalizedBy(String name, String x, int features) {
    boolean oneMore = family.has("one_more");
    return switch (family.norm()) {
      case RMS -> net.rootMeanSquare(x, name, features, shape.epsilon(), oneMore);
      case NONE -> net.scaled(x, name, features);
      case LAYER ->
          oneMore
              ? net.in(name)
                  .layerNormalization(
                      x,
                      name,
                      net.scales(name + ".weight", features, true),
                      features,
                      shape.epsilon())
              : net.layerNormalization(x, name, features, shape.epsilon());
    };
  }

  private String attention(String layer, int number, String x, Attention attention) {
    String[] made = projections.of(layer, x, hidden);
    List<String> scales = List.of();
    Optional<String> queryNorm = headNorm("query_norm", layer);
    Optional<String> keyNorm = headNorm("key_norm", layer);
    boolean areScaled = family.norm() == Family.Norm.RMS && !family.has("wide_norms");
    if (queryNorm.isPresent() && keyNorm.isPresent()) {
      if (areScaled && attention.normalizesHeads()) {
        scales = List.of(headScales(queryNorm.get()), headScales(keyNorm.get()));
      } else {
        made[0] = normalizedHeads(queryNorm.get(), made[0], shape.heads());
        made[1] = normalizedHeads(keyNorm.get(), made[1], shape.keyHeads());
      }
    }
    // OLMoE's are clipped once they are normalised
    double clip = shape.clip();
    for (int i = 0; clip > 0 && i < made.length; i++) {
      made[i] = net.op("Clip", made[i], net.scalar(-clip), net.scalar(clip));
    }
    String output = layer + module("output");
    String self = output.substring(0, output.lastIndexOf('.') + 1);
    String attended = attention.attend(number, self, made[0], made[1], made[2], scales);
    int queries = shape.heads() * shape.width();
    return net.linear(attended, output, hidden, queries, family.has("transposed"));
  }

  private Optional<String> headNorm(String role, String layer) {
    return family
        .module(role)
        .map(own -> layer + own)
        .filter(own -> net.layers().has(own + ".weight") || net.layers().has(byHead(own, 0)));
  }

  private String headScales(String norm) {
    return net.scales(norm + ".weight", shape.width(), family.has("one_more"));
  }

  /** Queries or keys normalised, by head or all heads as one. */
  private String normalizedHeads(String norm, String x, int heads) {
    int width = shape.width();
    if (family.has("wide_norms")) {
      return normalizedBy(norm, x, heads * width);
    }
    String byHead = net.reshape(x, 0, 0, heads, width);
    String normal =
        family.has("scales_by_head")
            ? net.op(
                "Mul",
                net.in(norm).standardized(byHead, width, shape.epsilon()),
                scalesByHead(norm, heads))
            : normalizedBy(norm, byHead, width);
    return net.reshape(normal, 0, 0, (long) heads * width);
  }

  /** Scales {@code [heads, width]}: one tensor of Cohere's, one for each head of StableLM's. */
  private String scalesByHead(String norm, int heads) {
    int width = shape.width();
    if (net.layers().hasLayer(norm)) {
      return net.matrix(norm, heads, width);
    }
    String[] each = new String[heads];
    for (int head = 0; head < heads; head++) {
      each[head] = net.vector(byHead(norm, head), width);
    }
    return net.reshape(net.concat(0, each), heads, width);
  }

  private static String byHead(String norm, int head) {
    return norm + ".norms." + head + ".weight";
  }
}
