package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.CachedAttention;
import dev.filigree.kernel.fused.Embedding;
import dev.filigree.kernel.fused.Gated;
import dev.filigree.kernel.fused.LastToken;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.kernel.fused.RootMeanSquare;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes a decoder's graph down in fused operators, attention over a cache among them. What has no
 * fused operator stays ONNX's.
 */
final class CachedBuilder extends NetworkBuilder implements Decoders.Attention {
  private final DecoderConfig shape;

  /** Nodes that make a value, by its name. */
  private final Map<String, Node> makers = new HashMap<>();

  private CachedBuilder(DecoderConfig shape, WeightSource weights) {
    super(weights);
    this.shape = shape;
  }

  /**
   * The graph of a decoder: {@code input_ids} i64 {@code [1, tokens]} to {@code logits} f32 {@code
   * [1, 1, vocabulary]} of the last token.
   *
   * @throws UnsupportedException if it has no head that scores words
   */
  static Graph graph(String family, DecoderConfig shape, WeightSource weights) {
    CachedBuilder net = new CachedBuilder(shape, weights);
    Decoders decoder = new Decoders(shape, net);
    if (decoder.isHeadless()) {
      throw new UnsupportedException(
          shape.family().config().file() + " has no head that scores words, so it writes no text",
          "use a checkpoint of the model 'ForCausalLM', or run it for its last_hidden_state");
    }
    if (shape.family().has("both_ways")) {
      throw new UnsupportedException(
          shape.family().config().file() + " lets tokens see later ones, so it writes no text",
          "use a checkpoint without 'use_bidirectional_attention'");
    }
    List<ValueInfo> inputs = new ArrayList<>();
    inputs.add(new ValueInfo(CachedDecoder.IDS, DType.I64, List.of(Dim.ONE, Dim.symbol("tokens"))));
    String numbers = "";
    if (shape.family().isTabled()) {
      numbers = CachedDecoder.POSITIONS;
      inputs.add(new ValueInfo(numbers, DType.I64, List.of(Dim.symbol("tokens"))));
    }
    String x = decoder.layers(decoder.words(CachedDecoder.IDS, numbers), net);
    net.nodes().add(LastToken.node("last", x, "last"));
    String logits = decoder.logits(decoder.last("last"));
    net.rename(logits, CachedDecoder.LOGITS);
    ValueInfo out =
        new ValueInfo(
            CachedDecoder.LOGITS, DType.F32, List.of(Dim.ONE, Dim.ONE, Dim.of(shape.vocabulary())));
    return new Graph(family, OPSET, inputs, List.of(out), net.nodes(), net.constants()).sorted();
  }

  private String add(Node node) {
    nodes().add(node);
    makers.put(node.output(), node);
    return node.output();
  }

  /** Gives the value of the last node another name. */
  private void rename(String value, String name) {
    Node last = nodes().removeLast();
    if (!last.output().equals(value)) {
      throw new IllegalStateException(last.output() + " is not " + value);
    }
    nodes()
        .add(
            new Node(
                last.name(),
                last.domain(),
                last.type(),
                last.inputs(),
                List.of(name),
                last.attributes()));
  }

  /** Puts a node in the place of another whose value nothing reads yet. */
  private String replace(Node old, Node node) {
    nodes().remove(old);
    makers.remove(old.output());
    return add(node);
  }

  @Override
  String words(String name, int rows, int features, String ids) {
    return add(Embedding.node(name, List.of(table(name, rows, features), ids), name));
  }

  @Override
  String linear(String x, String name, int out, int in, boolean turned) {
    // a head that shares the table of words may have been compressed on its own
    boolean isTied = makers.containsKey(name) && layers().hasLayer(name + TIED);
    String module = isTied ? name + TIED : name;
    String weights = module + ".weight";
    constants()
        .computeIfAbsent(
            weights,
            key -> new Constant.Compressed(layers().linear(module, out, in, turned), false));
    String bias = layers().has(name + ".bias") ? vector(name + ".bias", out) : "";
    // a head that shares the table of words has the name of heads
    String made = makers.containsKey(name) ? shape.family().module("head").orElseThrow() : name;
    return add(Linear.node(made, List.of(x, weights, bias), made, false, weights, true));
  }

  @Override
  String scales(String name, int features, boolean oneMore) {
    if (!oneMore) {
      return vector(name, features);
    }
    float[] scales = layers().vector(name, features).toFloats();
    for (int i = 0; i < features; i++) {
      scales[i] += 1;
    }
    String more = name + "_more";
    constants().put(more, new Constant.Plain(Tensor.of(scales, features)));
    return more;
  }

  @Override
  String rootMeanSquare(String x, String name, int features, double epsilon, boolean oneMore) {
    String scales = scales(name + ".weight", features, oneMore);
    return add(RootMeanSquare.node(name, x, scales, name, (float) epsilon));
  }

  /** Applied by the layer that makes the value, where one does. */
  @Override
  String activation(String x, String function, JsonFile config) {
    Optional<Activation> fused = Activations.fused(function);
    Node maker = makers.get(x);
    if (fused.isPresent() && maker != null && maker.isFused(Linear.TYPE)) {
      return replace(maker, Linear.extended(maker, x, maker.inputs(), x, fused.get()));
    }
    return super.activation(x, function, config);
  }

  @Override
  String gated(String gate, String x, String function, JsonFile config) {
    Optional<Activation> fused = Activations.fused(function);
    if (fused.isEmpty()) {
      return super.gated(gate, x, function, config);
    }
    String made = gate + "/gated";
    return add(Gated.node(made, gate, x, made, fused.get()));
  }

  /** Added by the layer that makes the value, where one does. */
  @Override
  String residual(String x, String made) {
    Node maker = makers.get(made);
    boolean isFree =
        maker != null
            && maker.isFused(Linear.TYPE)
            && maker.inputs().size() == Linear.RESIDUAL
            && Linear.activation(maker) == Activation.NONE;
    if (!isFree) {
      return super.residual(x, made);
    }
    List<String> inputs = new ArrayList<>(maker.inputs());
    inputs.add(x);
    return replace(maker, Linear.extended(maker, made, inputs, made, Activation.NONE));
  }

  @Override
  public boolean normalizesHeads() {
    return true;
  }

  @Override
  public String attend(int layer, String self, String q, String k, String v, List<String> scales) {
    LayerKind kind = shape.kinds().get(layer);
    List<String> inputs = new ArrayList<>(List.of(q, k, v));
    inputs.addAll(scales);
    Optional<String> sinks = shape.family().module("sinks").map(own -> self + own);
    if (sinks.isPresent()) {
      while (inputs.size() < CachedAttention.SINKS) {
        inputs.add("");
      }
      inputs.add(vector(sinks.get(), shape.heads()));
    }
    CachedAttention.Form form =
        new CachedAttention.Form(
            layer,
            shape.heads(),
            shape.keyHeads(),
            kind.window(),
            (float) shape.epsilon(),
            (float) shape.scores(layer),
            (float) shape.cap(),
            kind.rope(),
            shape.family().pairs() == Family.Pairs.NEIGHBOURS,
            shape.bias(),
            sinks.isPresent(),
            shape.family().has("turned_first"),
            shape.growth());
    return add(CachedAttention.node(self + "attended", inputs, self + "attended", form));
  }
}
