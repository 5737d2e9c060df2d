package dev.filigree.format.checkpoint;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Graphs of decoders of the Llama class from their {@code config.json}: Llama, Mistral, Qwen2 and
 * Qwen3. Root mean square normalisation, rotary positions, grouped queries, gated feed-forward
 * layers; biases and normalised queries and keys where the checkpoint has such tensors. The graph
 * reads whole sequences and keeps no cache.
 */
final class Decoders {
  private final JsonFile config;
  private final NetworkBuilder net;
  private final String prefix;
  private final DecoderConfig shape;
  private final int hidden;
  private final int heads;
  private final int keyHeads;
  private final int width;
  private final double epsilon;

  private Decoders(JsonFile config, LayerReader layers) {
    this.config = config;
    this.net = new NetworkBuilder(layers);
    this.prefix = layers.prefix("embed_tokens.weight");
    this.shape = DecoderConfig.read(config);
    this.hidden = shape.hidden();
    this.heads = shape.heads();
    this.keyHeads = shape.keyHeads();
    this.width = shape.width();
    this.epsilon = shape.epsilon();
  }

  /**
   * The graph of a decoder: {@code input_ids} and {@code attention_mask} to {@code logits}.
   *
   * @param family {@code model_type} of the config
   * @return nothing if the family is no decoder known here
   */
  static Optional<Graph> build(String family, JsonFile config, LayerReader layers) {
    return DecoderConfig.FAMILIES.contains(family)
        ? Optional.of(new Decoders(config, layers).graph(family))
        : Optional.empty();
  }

  private Graph graph(String family) {
    String ids = net.tokens("input_ids");
    String mask = net.tokens("attention_mask");
    int vocabulary = shape.vocabulary();
    net.in(prefix + "embed_tokens");
    String table = net.table(prefix + "embed_tokens", vocabulary, hidden);
    String x = net.gather(table, ids);
    String numbers = net.positions(ids);
    Map<Integer, String> biases = new HashMap<>();
    for (int window : shape.windows()) {
      biases.computeIfAbsent(window, of -> bias(mask, numbers, of));
    }
    String[] rotation = rotation(numbers);
    for (int layer = 0; layer < shape.layers(); layer++) {
      String bias = biases.get(shape.windows().get(layer));
      x = layer(prefix + "layers." + layer + ".", x, bias, rotation);
    }
    x = normalized(x, prefix + "norm", hidden);
    boolean tied = shape.tied() || !net.layers().hasLayer("lm_head");
    String head = tied ? prefix + "embed_tokens" : "lm_head";
    net.output("logits", net.linear(x, head, vocabulary, hidden), vocabulary);
    return net.build(family);
  }

  /**
   * What is added to scores, {@code [batch, 1, sequence, sequence]}: no token sees a later one, or
   * one that has left its window.
   */
  private String bias(String mask, String numbers, int window) {
    net.in(prefix + (window == DecoderConfig.WHOLE ? "mask" : "mask" + window));
    String queries = net.unsqueeze(numbers, 1);
    String keys = net.unsqueeze(numbers, 0);
    String later = net.op("Less", queries, keys);
    if (window != DecoderConfig.WHOLE) {
      String past = net.op("GreaterOrEqual", net.op("Sub", queries, keys), net.number(window));
      later = net.op("Or", later, past);
    }
    String hidden = net.op("Equal", net.unsqueeze(mask, 1, 2), net.number(0));
    return net.op(
        "Where",
        net.op("Or", net.unsqueeze(later, 0, 1), hidden),
        net.scalar(-Float.MAX_VALUE),
        net.scalar(0));
  }

  /** Cosines and sines of the rotary positions, each {@code [sequence, width]}. */
  private String[] rotation(String numbers) {
    net.in(prefix + "rotary");
    Rope rope = shape.rope();
    String angles =
        net.op("Mul", net.toFloat(net.unsqueeze(numbers, 1)), frequencies(rope, numbers));
    String both = net.concat(-1, angles, angles);
    String factor = net.scalar(rope.amplitude());
    return new String[] {
      net.op("Mul", net.op("Cos", both), factor), net.op("Mul", net.op("Sin", both), factor)
    };
  }

  /** Frequencies {@code [1, width / 2]}; those that follow the length are computed from it. */
  private String frequencies(Rope rope, String numbers) {
    int count = width / 2;
    if (rope.dynamic().isEmpty()) {
      return net.constant(Tensor.of(rope.frequencies(0), 1, count));
    }
    Rope.Dynamic dynamic = rope.dynamic().get();
    String length = net.toFloat(net.op("Size", numbers));
    String longest = net.op("Max", length, net.scalar(dynamic.trained()));
    String ratio =
        net.op(
            "Sub",
            net.op("Mul", longest, net.scalar(dynamic.factor() / dynamic.trained())),
            net.scalar(dynamic.factor() - 1));
    float[] exponents = new float[count];
    for (int i = 0; i < count; i++) {
      exponents[i] = (float) (-2.0 * i / (width - 2));
    }
    // (theta * ratio^(w / (w - 2)))^(-2 i / w), of which theta's part is the unscaled frequency
    String stretch = net.op("Pow", ratio, net.constant(Tensor.of(exponents, 1, count)));
    return net.op("Mul", net.constant(Tensor.of(rope.frequencies(0), 1, count)), stretch);
  }

  private String layer(String layer, String x, String bias, String[] rotation) {
    String normal = normalized(x, layer + "input_layernorm", hidden);
    String attended = attention(layer + "self_attn.", normal, bias, rotation);
    String first =
        net.op("Add", x, net.linear(attended, layer + "self_attn.o_proj", hidden, heads * width));
    String second = normalized(first, layer + "post_attention_layernorm", hidden);
    int wide = shape.wide();
    String gate =
        Activations.apply(
            net,
            net.linear(second, layer + "mlp.gate_proj", wide, hidden),
            shape.activation(),
            config);
    String up = net.linear(second, layer + "mlp.up_proj", wide, hidden);
    String product = net.op("Mul", gate, up);
    return net.op("Add", first, net.linear(product, layer + "mlp.down_proj", hidden, wide));
  }

  private String attention(String self, String x, String bias, String[] rotation) {
    String q = heads(x, self + "q", heads, rotation);
    String k = repeated(heads(x, self + "k", keyHeads, rotation));
    String v = repeated(heads(x, self + "v", keyHeads, null));
    net.in(self + "scores");
    String scores =
        net.op(
            "Div", net.op("MatMul", q, net.transpose(k, 0, 1, 3, 2)), net.scalar(Math.sqrt(width)));
    String shares =
        net.op("Softmax", Map.of("axis", new Attribute.Int(-1)), net.op("Add", scores, bias));
    return net.reshape(
        net.transpose(net.op("MatMul", shares, v), 0, 2, 1, 3), 0, 0, (long) heads * width);
  }

  /** Queries, keys or values by head, {@code [batch, heads, sequence, width]}. */
  private String heads(String x, String name, int count, String[] rotation) {
    String all = net.linear(x, name + "_proj", count * width, hidden);
    String split = net.reshape(all, 0, 0, count, width);
    if (net.layers().has(name + "_norm.weight")) {
      split = normalized(split, name + "_norm", width);
    }
    String byHead = net.transpose(split, 0, 2, 1, 3);
    return rotation == null ? byHead : rotated(byHead, rotation);
  }

  /** {@code x * cos + (-x2, x1) * sin} for the halves x1 and x2 of x. */
  private String rotated(String x, String[] rotation) {
    String first = net.slice(x, 0, width / 2);
    String second = net.slice(x, width / 2, width);
    String turned = net.concat(-1, net.op("Neg", second), first);
    return net.op("Add", net.op("Mul", x, rotation[0]), net.op("Mul", turned, rotation[1]));
  }

  /** Each head of keys or values once for every query head that reads it. */
  private String repeated(String x) {
    if (heads == keyHeads) {
      return x;
    }
    String one = net.unsqueeze(x, 2);
    String many = net.op("Expand", one, net.longs(1, 1, heads / keyHeads, 1, 1));
    // the batch and sequence are kept by moving them out of the way of the joined axes
    String shape = net.op("Shape", x);
    String wanted =
        net.concat(
            0,
            net.op("Slice", shape, net.longs(0), net.longs(1)),
            net.longs(heads),
            net.op("Slice", shape, net.longs(2), net.longs(4)));
    return net.op("Reshape", many, wanted);
  }

  private String normalized(String x, String name, int features) {
    net.in(name);
    String square = net.op("Mul", x, x);
    String mean = net.op("ReduceMean", Map.of("axes", NetworkBuilder.ints(-1)), square);
    String root = net.op("Sqrt", net.op("Add", mean, net.scalar(epsilon)));
    return net.op("Mul", net.op("Div", x, root), net.vector(name + ".weight", features));
  }
}
