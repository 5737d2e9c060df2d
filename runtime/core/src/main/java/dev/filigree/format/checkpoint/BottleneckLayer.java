package dev.filigree.format.checkpoint;

import java.util.List;

/**
 * A layer of MobileBERT (Z. Sun et al., MobileBERT: a Compact Task-Agnostic BERT, 2020): attention
 * and several feed-forward layers work on fewer features than states have, unless the config turns
 * that off.
 *
 * @param shape of the network
 * @param net where it is written down
 */
record BottleneckLayer(EncoderConfig shape, NetworkBuilder net) {
  /** Added to the variances of those normalisations that do not follow the config. */
  static final double OWN_EPSILON = 1e-5;

  private static final String ATTENTION = "attention.";
  private static final String DENSE = ".dense";
  private static final String NORM = ".LayerNorm";

  /**
   * States behind the layer, {@code [batch, sequence, hidden]}.
   *
   * @param layer what the names of its modules begin with
   * @param number of the layer
   * @param x states in front of it
   */
  String of(String layer, int number, String x, WholeAttention attention) {
    JsonFile config = shape.family().config();
    int hidden = shape.hidden();
    int inner = inner();
    boolean isNarrow = config.flag("use_bottleneck", true);
    String narrow = isNarrow ? narrowed(layer + "bottleneck.input", x) : x;
    boolean readsNarrow = !isNarrow || config.flag("use_bottleneck_attention", false);
    String asked = readsNarrow ? narrow : narrowed(layer + "bottleneck.attention", x);
    String self = layer + ATTENTION + "self.";
    String attended =
        attention.attend(
            number,
            self,
            net.linear(asked, self + "query", inner, inner),
            net.linear(asked, self + "key", inner, inner),
            net.linear(
                readsNarrow ? narrow : x, self + "value", inner, readsNarrow ? inner : hidden),
            List.of());
    String output = layer + ATTENTION + "output";
    String made = net.linear(attended, output + DENSE, inner, inner);
    String y = added(output, made, narrow, inner, shape.epsilon());
    int feeds = config.number("num_feedforward_networks", 1, AttentionShape.MAX_LAYERS).orElse(4);
    for (int feed = 0; feed < feeds - 1; feed++) {
      y = fed(layer + "ffn." + feed + ".", y, shape.epsilon());
    }
    String last = fed(layer, y, OWN_EPSILON);
    if (!isNarrow) {
      return last;
    }
    String wide = layer + "output.bottleneck";
    return added(wide, net.linear(last, wide + DENSE, hidden, inner), x, hidden, shape.epsilon());
  }

  private int inner() {
    return shape.heads() * shape.width();
  }

  private String narrowed(String module, String x) {
    String made = net.linear(x, module + DENSE, inner(), shape.hidden());
    return shape.normalized(net, module + NORM, made, inner());
  }

  private String fed(String owner, String y, double epsilon) {
    String up = net.linear(y, owner + "intermediate.dense", shape.wide(), inner());
    String product = net.activation(up, shape.activation(), shape.family().config());
    String module = owner + "output";
    String down = net.linear(product, module + DENSE, inner(), shape.wide());
    return added(module, down, y, inner(), epsilon);
  }

  private String added(String module, String made, String x, int features, double epsilon) {
    return shape.normalized(net, module + NORM, net.op("Add", made, x), features, epsilon);
  }
}
