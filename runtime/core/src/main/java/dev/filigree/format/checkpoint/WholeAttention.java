package dev.filigree.format.checkpoint;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.kernel.fused.CachedAttention;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Attention over whole sequences, without a cache, in ONNX's operators. */
final class WholeAttention implements Decoders.Attention {
  private static final LayerKind UNTURNED = new LayerKind(LayerKind.WHOLE, LayerKind.UNTURNED);

  private final AttentionShape shape;
  private final NetworkBuilder net;
  private final Bias bias;
  private final int heads;
  private final int keyHeads;
  private final int width;
  private final String numbers;
  private final List<String[]> rotations = new ArrayList<>();

  /** What is added to scores. */
  @FunctionalInterface
  interface Bias {
    /**
     * What is added to a layer's scores, of a shape that broadcasts to {@code [batch, heads,
     * sequence, sequence]}.
     *
     * @param q queries by head {@code [batch, heads, sequence, width]}
     * @param k keys by head
     */
    String of(int layer, String q, String k);
  }

  /**
   * Attention.
   *
   * @param prefix of the network's modules
   * @param numbers positions {@code [sequence]}
   */
  WholeAttention(
      AttentionShape shape, NetworkBuilder net, String prefix, String numbers, Bias bias) {
    this.shape = shape;
    this.net = net;
    this.bias = bias;
    this.numbers = numbers;
    this.heads = shape.heads();
    this.keyHeads = shape.keyHeads();
    this.width = shape.width();
    for (Rope rope : shape.ropes()) {
      rotations.add(rotation(prefix, rope, numbers));
    }
  }

  /**
   * What is added to a decoder's scores, {@code [batch, 1, sequence, sequence]} by window: no token
   * sees a later one, or one that has left its window; of a family that looks both ways, none
   * beyond its window to either side.
   *
   * @param mask 1 for each token that is none of padding {@code [batch, sequence]}
   */
  static Map<Integer, String> biases(
      NetworkBuilder net, String prefix, AttentionShape shape, String mask, String numbers) {
    boolean looksBack = !shape.family().has("both_ways");
    Map<Integer, String> biases = new HashMap<>();
    for (LayerKind kind : shape.kinds()) {
      biases.computeIfAbsent(
          kind.window(),
          window -> {
            net.in(prefix + (window == LayerKind.WHOLE ? "mask" : "mask" + window));
            String queries = net.unsqueeze(numbers, 1);
            String keys = net.unsqueeze(numbers, 0);
            List<String> unseen = new ArrayList<>();
            if (looksBack) {
              unseen.add(net.op("Less", queries, keys));
            }
            if (window != LayerKind.WHOLE) {
              String apart = net.op("Sub", queries, keys);
              String far = looksBack ? apart : net.op("Abs", apart);
              unseen.add(net.op("GreaterOrEqual", far, net.number(window)));
            }
            return hidden(net, mask, unseen);
          });
    }
    return biases;
  }

  /**
   * The lowest float for keys that are not seen.
   *
   * @param unseen by queries and keys, for any reason of these {@code [sequence, sequence]}
   */
  static String hidden(NetworkBuilder net, String mask, List<String> unseen) {
    String hidden = net.op("Equal", net.unsqueeze(mask, 1, 2), net.number(0));
    if (!unseen.isEmpty()) {
      String all = unseen.stream().reduce((one, other) -> net.op("Or", one, other)).orElseThrow();
      hidden = net.op("Or", net.unsqueeze(all, 0, 1), hidden);
    }
    return net.op("Where", hidden, net.scalar(-Float.MAX_VALUE), net.scalar(0));
  }

  /** Cosines and sines of the rotary positions, each {@code [sequence, turned]}. */
  private String[] rotation(String prefix, Rope rope, String numbers) {
    net.in(prefix + "rotary");
    String angles =
        net.op("Mul", net.toFloat(net.unsqueeze(numbers, 1)), frequencies(rope, numbers));
    String both =
        switch (shape.family().pairs()) {
          case HALVES -> net.concat(-1, angles, angles);
          case NEIGHBOURS -> {
            String pair = net.unsqueeze(angles, 2);
            yield net.reshape(net.concat(-1, pair, pair), 0, rope.turned());
          }
        };
    String factor = net.scalar(rope.amplitude());
    return new String[] {
      net.op("Mul", net.op("Cos", both), factor), net.op("Mul", net.op("Sin", both), factor)
    };
  }

  /** Frequencies {@code [1, turned / 2]}; those that follow the length are computed from it. */
  private String frequencies(Rope rope, String numbers) {
    String base = row(rope.base());
    if (rope.following().isEmpty()) {
      return base;
    }
    String length = net.toFloat(net.op("Size", numbers));
    return switch (rope.following().get()) {
      case Rope.Switched(float[] beyond, double trained) ->
          net.op("Where", net.op("Greater", length, net.scalar(trained)), row(beyond), base);
      case Rope.Dynamic(double factor, double trained) -> {
        String longest = net.op("Max", length, net.scalar(trained));
        String ratio =
            net.op(
                "Sub",
                net.op("Mul", longest, net.scalar(factor / trained)),
                net.scalar(factor - 1));
        float[] exponents = new float[rope.base().length];
        for (int i = 0; i < exponents.length; i++) {
          exponents[i] = (float) (-2.0 * i / (rope.turned() - 2));
        }
        // (theta * ratio^(w / (w - 2)))^(-2 i / w), of which theta's part is the base
        yield net.op("Mul", base, net.op("Pow", ratio, row(exponents)));
      }
    };
  }

  private String row(float[] numbers) {
    return net.constant(Tensor.of(numbers, 1, numbers.length));
  }

  @Override
  public String attend(
      int layer, String self, String query, String key, String value, List<String> scales) {
    LayerKind kind = shape.kinds().get(layer);
    String q = heads(query, heads, kind);
    String byHead = heads(key, keyHeads, kind);
    if (!scales.isEmpty()) {
      q = net.rootMeanSquare(q, scales.get(0), shape.epsilon());
      byHead = net.rootMeanSquare(byHead, scales.get(1), shape.epsilon());
    }
    q = grown(q);
    String k = repeated(byHead);
    boolean turnsValues = shape.family().has("turns_values");
    String v = repeated(heads(value, keyHeads, turnsValues ? kind : UNTURNED));
    String queries = q;
    String added = bias.of(layer, q, k);
    net.in(self + "scores");
    String products = net.op("MatMul", q, net.transpose(k, 0, 1, 3, 2));
    String scores =
        net.capped(net.op("Div", products, net.scalar(1 / shape.scores(layer))), shape.cap());
    String biased = net.op("Add", scores, added);
    String shares =
        shape
            .family()
            .module("sinks")
            .map(own -> besideSinks(self + own, biased, queries))
            .orElseGet(() -> softmax(biased));
    return net.reshape(
        net.transpose(net.op("MatMul", shares, v), 0, 2, 1, 3), 0, 0, (long) heads * width);
  }

  @Override
  public boolean normalizesHeads() {
    return shape.family().has("turned_first");
  }

  private String grown(String q) {
    CachedAttention.Growth growth = shape.growth();
    if (growth.rate() == 0) {
      return q;
    }
    String stages = net.toFloat(net.op("Div", numbers, net.number(growth.stage())));
    String logarithm = net.op("Log", net.op("Add", stages, net.scalar(1)));
    String factor = net.op("Add", net.times(logarithm, growth.rate()), net.scalar(1));
    return net.op("Mul", q, net.unsqueeze(factor, 1));
  }

  private String softmax(String scores) {
    return net.op("Softmax", Map.of("axis", new Attribute.Int(-1)), scores);
  }

  /** Shares of keys where each head has one more that takes its share and gives nothing. */
  private String besideSinks(String name, String scores, String q) {
    String each = net.reshape(net.vector(name, heads), 1, heads, 1, 1);
    String extents = net.op("Slice", net.op("Shape", q), net.longs(0), net.longs(3));
    String sinks = net.op("Expand", each, net.concat(0, extents, net.longs(1)));
    return net.slice(softmax(net.concat(-1, scores, sinks)), 0, -1);
  }

  /** Queries, keys or values by head, {@code [batch, heads, sequence, width]}. */
  private String heads(String x, int count, LayerKind kind) {
    String byHead = net.transpose(net.reshape(x, 0, 0, count, width), 0, 2, 1, 3);
    return kind.rope() == LayerKind.UNTURNED
        ? byHead
        : rotated(byHead, rotations.get(kind.rope()), shape.ropes().get(kind.rope()).turned());
  }

  /** {@code x * cos + (-x2, x1) * sin} for the pairs x1 and x2 of x; the rest of x is kept. */
  private String rotated(String x, String[] rotation, int turned) {
    String part = turned == width ? x : net.slice(x, 0, turned);
    String turn =
        switch (shape.family().pairs()) {
          case HALVES ->
              net.concat(
                  -1,
                  net.op("Neg", net.slice(part, turned / 2, turned)),
                  net.slice(part, 0, turned / 2));
          case NEIGHBOURS -> {
            String pairs = net.op("Reshape", part, net.longs(0, 0, -1, 2));
            String swapped =
                net.concat(-1, net.op("Neg", net.slice(pairs, 1, 2)), net.slice(pairs, 0, 1));
            yield net.op("Reshape", swapped, net.op("Shape", part));
          }
        };
    String done = net.op("Add", net.op("Mul", part, rotation[0]), net.op("Mul", turn, rotation[1]));
    return turned == width ? done : net.concat(-1, done, net.slice(x, turned, width));
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
}
