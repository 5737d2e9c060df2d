package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import java.util.Map;

/**
 * A convolution over the embeddings of neighbouring tokens, of which the first layer's states are
 * told (P. He et al., DeBERTa, 2021, appendix: n-gram induced input encoding).
 *
 * @param shape of the network
 * @param net where it is written down
 * @param name of its module
 */
record Convolution(EncoderConfig shape, NetworkBuilder net, String name) {
  /** Tokens side by side at most. */
  static final int MOST = 1 << 10;

  /** Name of the normalisation of states and what the convolution adds to them. */
  String norm() {
    return name + ".LayerNorm";
  }

  /**
   * What is added to states, {@code [batch, sequence, hidden]}.
   *
   * @param x embeddings of the same shape, zero where tokens are padding
   * @throws UnsupportedException if the window of tokens has no middle, or groups do not divide the
   *     features
   */
  String of(String x) {
    JsonFile config = shape.family().config();
    int hidden = shape.hidden();
    int width = config.required("conv_kernel_size", 1, MOST);
    int groups = config.number("conv_groups", 1, hidden).orElse(1);
    if (width % 2 == 0 || hidden % groups != 0) {
      throw new UnsupportedException(
          config.file()
              + " has a convolution of "
              + width
              + " tokens and "
              + groups
              + " groups of "
              + hidden
              + " features",
          "the nearest supported are an odd 'conv_kernel_size' and 'conv_groups' that divide the"
              + " features");
    }
    String module = name + ".conv";
    String weights = net.tensor(module + ".weight", hidden, hidden / groups, width);
    String bias = net.vector(module + ".bias", hidden);
    net.in(module);
    int beside = (width - 1) / 2;
    Map<String, Attribute> attributes =
        Map.of("group", new Attribute.Int(groups), "pads", NetworkBuilder.ints(beside, beside));
    String along = net.op("Conv", attributes, net.transpose(x, 0, 2, 1), weights, bias);
    String function = config.text("conv_act").orElse("tanh");
    return net.activation(net.transpose(along, 0, 2, 1), function, config);
  }
}
