package dev.filigree.testing;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.GraphBuilder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Attention with rotary positions as exporters write it, without any fused operator.
 *
 * @param heads of the queries, a multiple of keyHeads
 * @param keyHeads of keys and values
 * @param width features of a head
 * @param turned first features of a head that are turned, an even number
 * @param tokensFirst whether heads are turned before they come before the tokens
 * @param tablePerText whether each text of a batch has angles of its own
 */
public record RotaryGraph(
    int heads, int keyHeads, int width, int turned, boolean tokensFirst, boolean tablePerText) {
  /** The graph, of inputs q, k, v, cos, sin and mask and of output y. */
  public Graph graph() {
    Object texts = tablePerText ? "batch" : (Object) 1;
    GraphBuilder builder =
        new GraphBuilder(17)
            .input("q", DType.F32, "batch", "seq", heads * width)
            .input("k", DType.F32, "batch", "seq", keyHeads * width)
            .input("v", DType.F32, "batch", "seq", keyHeads * width)
            .input("cos", DType.F32, texts, "seq", turned)
            .input("sin", DType.F32, texts, "seq", turned)
            .input("mask", DType.F32, "batch", 1, "seq", "seq")
            .longs("headAxis", tokensFirst ? 2 : 1)
            .longs("groups", 2)
            .longs("last", 3)
            .longs("none", 0)
            .longs("half", turned / 2)
            .longs("turned", turned)
            .longs("end", Long.MAX_VALUE)
            .longs("times", 1, 1, heads / keyHeads, 1, 1)
            .longs("all", 0, heads, -1, width)
            .longs("joined", 0, 0, (long) heads * width)
            .scalar("divisor", Math.sqrt(width))
            .node("Unsqueeze", "cosines", "cos", "headAxis")
            .node("Unsqueeze", "sines", "sin", "headAxis");
    split(builder, "q", heads);
    split(builder, "k", keyHeads);
    split(builder, "v", keyHeads);
    if (tokensFirst) {
      transpose(builder, "qReady", rotate(builder, "q", "qSplit"));
      transpose(builder, "kReady", rotate(builder, "k", "kSplit"));
    } else {
      transpose(builder, "qHeads", "qSplit");
      transpose(builder, "kHeads", "kSplit");
      builder.node("Identity", "qReady", rotate(builder, "q", "qHeads"));
      builder.node("Identity", "kReady", rotate(builder, "k", "kHeads"));
    }
    transpose(builder, "vReady", "vSplit");
    return builder
        .node("Transpose", Map.of("perm", List.of(0, 1, 3, 2)), List.of("kT"), repeat(builder, "k"))
        .node("MatMul", "products", "qReady", "kT")
        .node("Div", "scores", "products", "divisor")
        .node("Add", "masked", "scores", "mask")
        .node("Softmax", Map.of("axis", -1), List.of("shares"), "masked")
        .node("MatMul", "context", "shares", repeat(builder, "v"))
        .node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of("tokens"), "context")
        .node("Reshape", "y", "tokens", "joined")
        .output("y")
        .build();
  }

  private void split(GraphBuilder builder, String value, int count) {
    builder
        .longs(value + "Shape", 0, 0, count, width)
        .node("Reshape", value + "Split", value, value + "Shape");
  }

  private static void transpose(GraphBuilder builder, String to, String from) {
    builder.node("Transpose", Map.of("perm", List.of(0, 2, 1, 3)), List.of(to), from);
  }

  private String rotate(GraphBuilder builder, String name, String x) {
    String part = turned == width ? x : name + "Part";
    if (turned < width) {
      builder
          .node("Slice", part, x, "none", "turned", "last")
          .node("Slice", name + "Rest", x, "turned", "end", "last");
    }
    builder
        .node("Slice", name + "First", part, "none", "half", "last")
        .node("Slice", name + "Second", part, "half", "end", "last")
        .node("Neg", name + "Minus", name + "Second")
        .node(
            "Concat",
            Map.of("axis", -1),
            List.of(name + "Exchanged"),
            name + "Minus",
            name + "First")
        .node("Mul", name + "Straight", part, "cosines")
        .node("Mul", name + "Crossed", name + "Exchanged", "sines")
        .node("Add", name + "Turned", name + "Straight", name + "Crossed");
    if (turned == width) {
      return name + "Turned";
    }
    builder.node(
        "Concat", Map.of("axis", -1), List.of(name + "Whole"), name + "Turned", name + "Rest");
    return name + "Whole";
  }

  private String repeat(GraphBuilder builder, String name) {
    if (heads == keyHeads) {
      return name + "Ready";
    }
    builder
        .node("Unsqueeze", name + "Apart", name + "Ready", "groups")
        .node("Expand", name + "Each", name + "Apart", "times")
        .node("Reshape", name + "All", name + "Each", "all");
    return name + "All";
  }

  /** Inputs, the mask hiding what comes later. */
  public Map<String, Tensor> inputs(Samples samples, int batch, int tokens) {
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("q", normal(samples, batch, tokens, heads * width));
    inputs.put("k", normal(samples, batch, tokens, keyHeads * width));
    inputs.put("v", normal(samples, batch, tokens, keyHeads * width));
    int texts = tablePerText ? batch : 1;
    inputs.put("cos", normal(samples, texts, tokens, turned));
    inputs.put("sin", normal(samples, texts, tokens, turned));
    float[] mask = new float[batch * tokens * tokens];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = i % tokens > i / tokens % tokens ? Float.NEGATIVE_INFINITY : i % 3;
    }
    inputs.put("mask", Tensor.of(mask, batch, 1, tokens, tokens));
    return inputs;
  }

  private static Tensor normal(Samples samples, int... extents) {
    long[] shape = new long[extents.length];
    int count = 1;
    for (int axis = 0; axis < extents.length; axis++) {
      shape[axis] = extents[axis];
      count *= extents[axis];
    }
    return Tensor.of(samples.normal(count), shape);
  }
}
