package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.graph.Attribute;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The feed-forward layers of a network: one for all tokens, or experts of which every token has a
 * few (N. Shazeer et al., Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts
 * Layer, 2017), with a shared one beside them where the family has it.
 *
 * <p>All experts are written down for all tokens, and those that a token did not choose count
 * nothing. Which of them are computed is left to who runs the graph: the CPU's plans take the
 * chosen ones alone, see {@link dev.filigree.graph.pass.Passes#onChosenExperts}.
 */
final class FeedForward {
  /** Experts of a layer at most. */
  static final int MOST_EXPERTS = 1 << 12;

  private final Family family;
  private final JsonFile config;
  private final NetworkBuilder net;
  private final int hidden;
  private final int wide;
  private final String function;

  /**
   * Layers.
   *
   * @param hidden features of a token
   * @param wide features between the products of a layer that has no experts
   * @param function name of the function between the products
   */
  FeedForward(Family family, NetworkBuilder net, int hidden, int wide, String function) {
    this.family = family;
    this.config = family.config();
    this.net = net;
    this.hidden = hidden;
    this.wide = wide;
    this.function = function;
  }

  /**
   * What a layer makes of {@code [batch, sequence, hidden]}, of the same shape.
   *
   * @param layer what the names of its modules begin with
   * @param number of the layer
   */
  String of(String layer, int number, String x) {
    if (family.has("experts") && hasExperts(number)) {
      return experts(layer, number, x);
    }
    String down = layer + module("down");
    return switch (family.feed()) {
      case GATED -> gated(x, layer + module("gate"), layer + module("up"), down, wide);
      case JOINED -> halvesGated(x, layer + module("gate"), down, wide);
      case PLAIN -> {
        String up = linear(x, layer + module("up"), wide, hidden);
        boolean isLearned = function.equals("xielu") && family.module("function").isPresent();
        String made =
            isLearned
                ? xielu(layer + module("function"), up)
                : net.activation(up, function, config);
        yield linear(made, down, hidden, wide);
      }
    };
  }

  /** Gate and up in one layer, of which the gate is first unless the family has it otherwise. */
  private String halvesGated(String x, String joined, String down, int wide) {
    String both = linear(x, joined, 2 * wide, hidden);
    String first = net.slice(both, 0, wide);
    String second = net.slice(both, wide, 2L * wide);
    return linear(
        family.has("up_first")
            ? net.gated(second, first, function, config)
            : net.gated(first, second, function, config),
        down,
        hidden,
        wide);
  }

  private String gated(String x, String gate, String up, String down, int wide) {
    String product =
        net.gated(linear(x, gate, wide, hidden), linear(x, up, wide, hidden), function, config);
    return linear(product, down, hidden, wide);
  }

  /**
   * A function with parameters of its own (A. H. Huang and I. Schlag, Deriving Activation Functions
   * Using Integration, 2024).
   */
  private String xielu(String name, String x) {
    net.in(name);
    String beta = parameter(name + ".beta", 0.5);
    String least = parameter(name + ".eps", -1e-6);
    String up = net.op("Softplus", net.vector(name + ".alpha_p", 1));
    String down = net.op("Add", beta, net.op("Softplus", net.vector(name + ".alpha_n", 1)));
    String shared = net.op("Mul", x, beta);
    String square = net.op("Mul", net.op("Mul", up, x), x);
    String power = net.op("Sub", net.op("Exp", net.op("Min", x, least)), net.scalar(1));
    String below = net.op("Mul", net.op("Sub", power, x), down);
    String isAbove = net.op("Greater", x, net.scalar(0));
    return net.op("Add", net.op("Where", isAbove, square, below), shared);
  }

  private String parameter(String name, double otherwise) {
    return net.layers().has(name) ? net.tensor(name) : net.scalar(otherwise);
  }

  private String linear(String x, String name, int out, int in) {
    return net.linear(x, name, out, in, family.has("transposed"));
  }

  private String module(String role) {
    return family.module(role).orElseThrow();
  }

  /** Qwen's configs name layers without experts, or say that every so many have them. */
  private boolean hasExperts(int number) {
    boolean isDense =
        family.has("dense_first")
            && number
                < config.number("first_k_dense_replace", 0, AttentionShape.MAX_LAYERS).orElse(0);
    int last =
        family.has("dense_last")
            ? config.number("moe_layer_end_index", -1, AttentionShape.MAX_LAYERS).orElse(-1)
            : -1;
    int every = config.number("decoder_sparse_step", 1, AttentionShape.MAX_LAYERS).orElse(1);
    return !isDense
        && (last < 0 || number <= last)
        && (number + 1) % every == 0
        && !config.wholeNumbers("mlp_only_layers").contains((long) number)
        && config.required("num_experts", 0, MOST_EXPERTS) > 0;
  }

  private String experts(String layer, int number, String x) {
    int count = config.required("num_experts", 1, MOST_EXPERTS);
    int width = width("moe_intermediate_size");
    String shares = shares(x, layer, number, count);
    String sum = "";
    for (int expert = 0; expert < count; expert++) {
      String own = layer + module("experts") + "." + expert + ".";
      String made = expert(x, own, width);
      String part = net.op("Mul", made, net.slice(shares, expert, expert + 1));
      sum = sum.isEmpty() ? part : net.op("Add", sum, part);
    }
    boolean hasShared =
        Stream.of("n_shared_experts", "shared_expert_intermediate_size")
            .noneMatch(
                key ->
                    config
                        .number(key, 0, AttentionShape.MAX_EXTENT)
                        .filter(none -> none == 0)
                        .isPresent());
    Optional<String> shared = family.module("shared").filter(own -> hasShared);
    return shared.isPresent() ? net.op("Add", sum, shared(layer, shared.get(), x)) : sum;
  }

  /** What an expert makes of all tokens. */
  private String expert(String x, String own, int width) {
    String down = own + module("expert_down");
    return family
        .module("expert_both")
        .map(both -> linear(x, own + both, 2 * width, hidden))
        .map(both -> linear(pairsGated(both, width), down, hidden, width))
        .orElseGet(
            () -> gated(x, own + module("expert_gate"), own + module("expert_up"), down, width));
  }

  /**
   * {@code g * sigmoid(alpha * g) * (l + beta)} of neighbouring features g, bounded above, and l,
   * bounded to both sides.
   */
  private String pairsGated(String both, int width) {
    JsonFile gate = family.about().object("pairs_gate").orElseThrow();
    double limit = gate.real("limit", 0, Float.MAX_VALUE).orElseThrow();
    String pairs = net.reshape(both, 0, 0, width, 2);
    Map<String, Attribute> last = Map.of("axis", new Attribute.Int(3));
    String most = net.scalar(limit);
    String g = net.op("Min", net.op("Gather", last, pairs, net.number(0)), most);
    String l = net.op("Min", net.op("Gather", last, pairs, net.number(1)), most);
    String alpha = net.scalar(gate.real("alpha", 0, 1e3).orElseThrow());
    String open = net.op("Mul", g, net.op("Sigmoid", net.op("Mul", g, alpha)));
    String beta = net.scalar(gate.real("beta", 0, 1e3).orElseThrow());
    return net.op("Mul", open, net.op("Add", net.op("Max", l, net.scalar(-limit)), beta));
  }

  /**
   * By how much each expert counts for each token, 0 for those that it did not choose, {@code
   * [batch, sequence, experts]}.
   */
  private String shares(String x, String layer, int number, int count) {
    int chosen = chosen(number);
    if (chosen > count) {
      throw new FormatException(
          config.file() + " gives every token " + chosen + " of " + count + " experts",
          "use the config that belongs to the weights");
    }
    String scores = linear(x, layer + module("router"), count, hidden);
    if (family.module("router_bias").isPresent()) {
      return new BiasedRouter(family, net).shares(layer, scores, count, chosen);
    }
    String all = net.op("Softmax", Map.of("axis", new Attribute.Int(-1)), scores);
    List<String> best = net.op("TopK", 2, all, net.longs(chosen));
    String values = best.getFirst();
    if (config.flag("norm_topk_prob", false)) {
      values = net.op("Div", values, net.op("ReduceSum", values, net.longs(-1)));
    }
    return scattered(net, all, best.getLast(), values);
  }

  /** Experts of a token; HunYuan's configs may say how many for each layer. */
  private int chosen(int number) {
    String key = "num_experts_per_tok";
    if (!config.node().path(key).isArray()) {
      return config.required(key, 1, MOST_EXPERTS);
    }
    List<Long> all = config.wholeNumbers(key);
    if (number >= all.size() || all.get(number) < 1 || all.get(number) > MOST_EXPERTS) {
      throw new FormatException(
          config.file() + " does not say of layer " + number + " how many experts a token has",
          "use the config that belongs to the weights");
    }
    return Math.toIntExact(all.get(number));
  }

  /** Values at their places among zeros, as many as there are scores. */
  static String scattered(NetworkBuilder net, String scores, String places, String values) {
    return net.op(
        "ScatterElements",
        Map.of("axis", new Attribute.Int(-1)),
        net.op("Mul", scores, net.scalar(0)),
        places,
        values);
  }

  /** An expert that counts for every token, by a number between 0 and 1. */
  private String shared(String layer, String shared, String x) {
    String own = layer + shared + ".";
    int width =
        config
            .number("n_shared_experts", 0, MOST_EXPERTS)
            .map(times -> Math.multiplyExact(times, width("moe_intermediate_size")))
            .orElseGet(() -> width("shared_expert_intermediate_size"));
    Optional<String> both = family.module("shared_both");
    String made =
        both.isPresent()
            ? halvesGated(x, own + both.get(), own + module("shared_down"), width)
            : expert(x, own, width);
    return family
        .module("shared_gate")
        .map(gate -> net.op("Sigmoid", linear(x, layer + gate, 1, hidden)))
        .map(share -> net.op("Mul", made, share))
        .orElse(made);
  }

  private int width(String key) {
    return config.number(key, 1, AttentionShape.MAX_EXTENT).orElse(wide);
  }
}
