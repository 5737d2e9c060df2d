package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.graph.Attribute;
import java.util.List;
import java.util.Map;
import java.util.Optional;

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
  private static final int MOST_EXPERTS = 1 << 12;

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
      return experts(layer, x);
    }
    String down = layer + module("down");
    return switch (family.feed()) {
      case GATED -> gated(x, layer + module("gate"), layer + module("up"), down, wide);
      case JOINED -> {
        String both = linear(x, layer + module("gate"), 2 * wide, hidden);
        String first = net.slice(both, 0, wide);
        String second = net.slice(both, wide, 2L * wide);
        yield linear(
            family.has("up_first")
                ? net.gated(second, first, function, config)
                : net.gated(first, second, function, config),
            down,
            hidden,
            wide);
      }
      case PLAIN -> {
        String up = linear(x, layer + module("up"), wide, hidden);
        yield linear(net.activation(up, function, config), down, hidden, wide);
      }
    };
  }

  private String gated(String x, String gate, String up, String down, int wide) {
    String product =
        net.gated(linear(x, gate, wide, hidden), linear(x, up, wide, hidden), function, config);
    return linear(product, down, hidden, wide);
  }

  private String linear(String x, String name, int out, int in) {
    return net.linear(x, name, out, in, family.has("transposed"));
  }

  private String module(String role) {
    return family.module(role).orElseThrow();
  }

  /** Qwen's configs name layers without experts, or say that every so many have them. */
  private boolean hasExperts(int number) {
    int every = config.number("decoder_sparse_step", 1, AttentionShape.MAX_LAYERS).orElse(1);
    return (number + 1) % every == 0
        && !config.wholeNumbers("mlp_only_layers").contains((long) number)
        && config.required("num_experts", 0, MOST_EXPERTS) > 0;
  }

  private String experts(String layer, String x) {
    int count = config.required("num_experts", 1, MOST_EXPERTS);
    int width = width("moe_intermediate_size");
    String shares = shares(x, layer + module("router"), count);
    String sum = "";
    for (int expert = 0; expert < count; expert++) {
      String own = layer + module("experts") + "." + expert + ".";
      String made =
          gated(
              x,
              own + module("expert_gate"),
              own + module("expert_up"),
              own + module("expert_down"),
              width);
      String part = net.op("Mul", made, net.slice(shares, expert, expert + 1));
      sum = sum.isEmpty() ? part : net.op("Add", sum, part);
    }
    Optional<String> shared = family.module("shared");
    return shared.isPresent() ? net.op("Add", sum, shared(layer, shared.get(), x)) : sum;
  }

  /**
   * By how much each expert counts for each token, 0 for those that it did not choose, {@code
   * [batch, sequence, experts]}.
   */
  private String shares(String x, String router, int count) {
    int chosen = config.required("num_experts_per_tok", 1, MOST_EXPERTS);
    if (chosen > count) {
      throw new FormatException(
          config.file() + " gives every token " + chosen + " of " + count + " experts",
          "use the config that belongs to the weights");
    }
    String scores = linear(x, router, count, hidden);
    String all = net.op("Softmax", Map.of("axis", new Attribute.Int(-1)), scores);
    List<String> best = net.op("TopK", 2, all, net.longs(chosen));
    String values = best.getFirst();
    if (config.flag("norm_topk_prob", false)) {
      values = net.op("Div", values, net.op("ReduceSum", values, net.longs(-1)));
    }
    return net.op(
        "ScatterElements",
        Map.of("axis", new Attribute.Int(-1)),
        net.op("Mul", all, net.scalar(0)),
        best.getLast(),
        values);
  }

  /** An expert that counts for every token, by a number between 0 and 1. */
  private String shared(String layer, String shared, String x) {
    String own = layer + shared + ".";
    String made =
        gated(
            x,
            own + module("expert_gate"),
            own + module("expert_up"),
            own + module("expert_down"),
            width("shared_expert_intermediate_size"));
    String share = net.op("Sigmoid", linear(x, layer + module("shared_gate"), 1, hidden));
    return net.op("Mul", made, share);
  }

  private int width(String key) {
    return config.number(key, 1, AttentionShape.MAX_EXTENT).orElse(wide);
  }
}
