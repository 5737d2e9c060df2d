package dev.filigree.testing;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import dev.filigree.graph.Node;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/**
 * A mixture of experts before it is fused: x {@code [tokens, hidden]}, scores of a router r {@code
 * [tokens, experts]}, and y of x's shape.
 *
 * @param kind of the experts
 * @param experts of the mixture
 * @param chosen experts of a token
 * @param hidden features of a token
 * @param wide features between an expert's layers
 */
public record ExpertsGraph(Kind kind, int experts, int chosen, int hidden, int wide) {
  /** What experts are made of. */
  public enum Kind {
    /** Two layers with biases, rectified between. */
    PLAIN,
    /** Three layers, one of which is a gate. */
    GATED,
    /** ONNX Runtime's operator with both factors of the gate as neighbours. */
    PAIRS,
    /** The same with one factor behind the other. */
    HALVES
  }

  private static final Map<String, Object> LAST = Map.of("axis", -1);

  /** Of random form. */
  public static ExpertsGraph of(Samples samples, Kind kind) {
    int experts = samples.between(2, 9);
    return new ExpertsGraph(
        kind, experts, samples.between(1, experts), samples.between(1, 80), samples.between(1, 90));
  }

  /**
   * The graph.
   *
   * @param broken experts whose weights are no numbers
   */
  public Graph graph(Samples samples, IntPredicate broken) {
    GraphBuilder builder =
        new GraphBuilder(17)
            .input("x", DType.F32, "tokens", hidden)
            .input("r", DType.F32, "tokens", experts)
            .output("y");
    if (kind == Kind.PAIRS || kind == Kind.HALVES) {
      builder
          .constant("fc1", stacked(samples, 2 * wide, hidden, broken))
          .constant("b1", normal(samples, experts, 2 * wide))
          .constant("fc2", stacked(samples, hidden, wide, e -> false))
          .constant("b2", normal(samples, experts, hidden));
      return builder.add(operator()).build();
    }
    builder
        .longs("k", chosen)
        .longs("last", -1)
        .scalar("zero", 0)
        .node("TopK", Map.of(), List.of("best", "which"), "r", "k")
        .node("Softmax", LAST, List.of("kept"), "best")
        .node("Mul", "nothing", "r", "zero")
        .node("ScatterElements", LAST, List.of("shares"), "nothing", "which", "kept");
    String sum = "";
    for (int e = 0; e < experts; e++) {
      float factor = broken.test(e) ? Float.NaN : 1;
      String own = "experts." + e + ".";
      String inner = kind == Kind.GATED ? gated(builder, samples, own) : own + "inner";
      if (kind == Kind.PLAIN) {
        layer(builder, samples, own + "up", "x", hidden, wide, factor);
        builder
            .constant(own + "up.bias", normal(samples, wide))
            .node("Add", own + "biased", own + "up", own + "up.bias")
            .node("Relu", inner, own + "biased");
      }
      layer(builder, samples, own + "down", inner, wide, hidden, factor);
      builder
          .longs(own + "from", e)
          .longs(own + "to", e + 1)
          .node("Slice", own + "share", "shares", own + "from", own + "to", "last")
          .node("Mul", own + "part", own + "down", own + "share");
      String next = e == experts - 1 ? "y" : own + "sum";
      if (e > 0) {
        builder.node("Add", next, sum, own + "part");
      }
      sum = e == 0 ? own + "part" : next;
    }
    return builder.build();
  }

  private String gated(GraphBuilder builder, Samples samples, String own) {
    layer(builder, samples, own + "gate", "x", hidden, wide, 1);
    layer(builder, samples, own + "up", "x", hidden, wide, 1);
    builder
        .node("Sigmoid", own + "open", own + "gate")
        .node("Mul", own + "silu", own + "gate", own + "open")
        .node("Mul", own + "gated", own + "silu", own + "up");
    return own + "gated";
  }

  private static void layer(
      GraphBuilder builder, Samples samples, String name, String x, int in, int out, float by) {
    float[] weights = samples.normal(in * out);
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= by / (float) Math.sqrt(in);
    }
    builder
        .constant(name + ".weight", Tensor.of(weights, in, out))
        .node("MatMul", name, x, name + ".weight");
  }

  private Tensor stacked(Samples samples, int out, int in, IntPredicate broken) {
    float[] weights = samples.normal(experts * out * in);
    for (int i = 0; i < weights.length; i++) {
      weights[i] /= (float) Math.sqrt(in);
      weights[i] = broken.test(i / (out * in)) ? Float.NaN : weights[i];
    }
    return Tensor.of(weights, experts, out, in);
  }

  private static Tensor normal(Samples samples, int... extents) {
    int count = 1;
    long[] shape = new long[extents.length];
    for (int i = 0; i < extents.length; i++) {
      count *= extents[i];
      shape[i] = extents[i];
    }
    return Tensor.of(samples.normal(count), shape);
  }

  private Node operator() {
    return new Node(
        "moe",
        "com.microsoft",
        "MoE",
        List.of("x", "r", "fc1", "b1", "fc2", "b2"),
        List.of("y"),
        Map.of(
            "k", new Attribute.Int(chosen),
            "normalize_routing_weights", new Attribute.Int(1),
            "activation_type", new Attribute.Text("swiglu"),
            "swiglu_fusion", new Attribute.Int(kind == Kind.PAIRS ? 1 : 2),
            "activation_alpha", new Attribute.Real(1.702f),
            "activation_beta", new Attribute.Real(1),
            "swiglu_limit", new Attribute.Real(1.5f)));
  }

  /**
   * Inputs of the graph.
   *
   * @param avoided experts that no token chooses, as long as there are others
   */
  public Map<String, Tensor> inputs(Samples samples, int tokens, IntPredicate avoided) {
    float[] scores = samples.normal(tokens * experts);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = avoided.test(i % experts) ? -100 : scores[i];
    }
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("x", Tensor.of(samples.normal(tokens * hidden), tokens, hidden));
    inputs.put("r", Tensor.of(scores, tokens, experts));
    return inputs;
  }
}
