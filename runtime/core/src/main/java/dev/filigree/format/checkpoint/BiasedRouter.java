package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.graph.Attribute;
import java.util.List;
import java.util.Map;

/**
 * A router that chooses experts by scores to which a bias is added, while they count by their
 * scores without it: sigmoids of groups whose two best experts are best (DeepSeek-AI, DeepSeek-V3
 * Technical Report, 2024, section 2.1.2), or the softmax (ERNIE 4.5).
 *
 * @param family of the network
 * @param net where it is written down
 */
record BiasedRouter(Family family, NetworkBuilder net) {
  private static final Map<String, Attribute> LAST = Map.of("axis", new Attribute.Int(-1));

  /** Experts that speak for a group. */
  private static final int BEST = 2;

  /**
   * By how much each expert counts for each token, {@code [batch, sequence, experts]}.
   *
   * @param layer what the names of its modules begin with
   * @param logits of the same shape
   * @param chosen experts of a token
   */
  String shares(String layer, String logits, int count, int chosen) {
    JsonFile config = family.config();
    boolean isSoftmax = family.has("softmax_router");
    String scores = isSoftmax ? net.op("Softmax", LAST, logits) : net.op("Sigmoid", logits);
    String bias = family.module("router_bias").map(own -> layer + own).orElseThrow();
    String choice = net.layers().has(bias) ? net.op("Add", scores, bias(bias, count)) : scores;
    List<String> best = net.op("TopK", 2, inGroups(choice, count, chosen), net.longs(chosen));
    String values = net.op("GatherElements", LAST, scores, best.getLast());
    if (config.flag("norm_topk_prob", false)) {
      String sum = net.op("ReduceSum", values, net.longs(-1));
      double least = config.real("moe_norm_min", 0, 1).orElse(0.0);
      String divisor =
          isSoftmax ? net.op("Max", sum, net.scalar(least)) : net.op("Add", sum, net.scalar(1e-20));
      values = net.op("Div", values, divisor);
    }
    double factor = config.real("routed_scaling_factor", 1e-9, 1e9).orElse(1.0);
    return FeedForward.scattered(net, scores, best.getLast(), net.times(values, factor));
  }

  /** One number for each expert; ERNIE's lie in a row of a table. */
  private String bias(String name, int count) {
    return family.has("softmax_router")
        ? net.reshape(net.tensor(name, 1, count), count)
        : net.vector(name, count);
  }

  /** Scores of the best groups; those of the others are lower than any. */
  private String inGroups(String choice, int count, int chosen) {
    JsonFile config = family.config();
    int groups = config.number("n_group", 1, count).orElse(1);
    int kept = config.number("topk_group", 1, groups).orElse(groups);
    int each = count / groups;
    if (count % groups != 0 || groups > 1 && each < BEST || kept * each < chosen) {
      throw new FormatException(
          config.file()
              + " chooses "
              + chosen
              + " of "
              + count
              + " experts in "
              + kept
              + " of "
              + groups
              + " groups ('n_group', 'topk_group')",
          "use the config that belongs to the weights");
    }
    if (kept == groups) {
      return choice;
    }
    String byGroup = net.reshape(choice, 0, 0, groups, each);
    String two = net.op("TopK", 2, byGroup, net.longs(BEST)).getFirst();
    Map<String, Attribute> flat = Map.of("keepdims", new Attribute.Int(0));
    String ofGroups = net.op("ReduceSum", flat, two, net.longs(-1));
    List<String> best = net.op("TopK", 2, ofGroups, net.longs(kept));
    String ones = net.op("Add", net.op("Mul", best.getFirst(), net.scalar(0)), net.scalar(1));
    String marks = FeedForward.scattered(net, ofGroups, best.getLast(), ones);
    String isIn = net.op("Greater", net.unsqueeze(marks, 3), net.scalar(0));
    String within = net.op("Where", isIn, byGroup, net.scalar(Float.NEGATIVE_INFINITY));
    return net.reshape(within, 0, 0, count);
  }
}
