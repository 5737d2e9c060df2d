package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Weights;
import java.util.List;
import java.util.Map;

/**
 * Mixtures of experts of ONNX Runtime, MoE with weights in floats and QMoE with integers of a few
 * bits. Every expert is written down for every token, and the sum takes as much of each as the
 * router gives it, nothing of most; {@link FuseExperts} leaves those out:
 *
 * <pre>
 *   fc1  [experts, inner or 2 * inner, hidden], or codes [.., hidden * bits / 8]
 *   fc2  [experts, hidden, inner]
 *   fc3  like fc1, where what fc1 makes is a gate
 *   scales  [experts, out], or [experts, out, in / block_size]
 * </pre>
 */
final class VendorExperts {
  private static final Map<String, Attribute> FIRST = Map.of("axis", new Attribute.Int(0));
  private static final Map<String, Attribute> LAST = Map.of("axis", new Attribute.Int(-1));

  private final Node node;
  private final Lowered to;
  private final Map<String, Constant> constants;
  private final boolean packed;

  private VendorExperts(Node node, Lowered to, Map<String, Constant> constants) {
    this.node = node;
    this.to = to;
    this.constants = constants;
    this.packed = node.type().equals("QMoE");
  }

  /** Rule for both operators. */
  static void mix(Node node, Lowered to, Map<String, Constant> constants) {
    new VendorExperts(node, to, constants).write();
  }

  private void write() {
    boolean gated = node.textAttribute("activation_type", "relu").equals("swiglu");
    boolean routed = packed && to.has(14);
    boolean zeros = packed && (to.has(11) || to.has(12) || to.has(13));
    boolean integers = node.textAttribute("quant_type", "int").equals("int");
    if (routed || zeros || !integers || node.intAttribute("use_sparse_mixer", 0) != 0) {
      throw node.unsupported(
          "has weights of a router, zero points, codes of floats or a sparse mixer",
          "export it with matrices of symmetric integers or floats");
    }
    int out = packed ? 5 : 4;
    int beside = packed ? 8 : 6;
    Tensor first = VendorBlocks.constant(node, 2, constants);
    Tensor second = VendorBlocks.constant(node, out, constants);
    Tensor third = to.has(beside) ? VendorBlocks.constant(node, beside, constants) : null;
    if (gated && third != null) {
      throw node.unsupported(
          "has swiglu's gate in a matrix of its own", "export it fused with fc1");
    }
    if (third != null && !third.shape().equals(first.shape())) {
      throw node.problem("multiplies " + first + " by " + third, "give fc1 and fc3 one shape");
    }
    if (first.shape().rank() != 3 || second.shape().rank() != 3) {
      throw node.problem("has the weights " + first + " and " + second, "give [experts, out, in]");
    }
    long hidden = second.shape().extent(1);
    String x = to.add("Reshape", to.in(0), to.longs(-1, hidden));
    String shares = shares();
    String sum = "";
    for (int e = 0; e < first.shape().extent(0); e++) {
      String inner = layer(x, 2, first, e);
      String active = gated ? gate(inner, first.shape().extent(1) / 2) : activated(inner);
      if (third != null) {
        active = to.add("Mul", active, layer(x, beside, third, e));
      }
      String share = to.add("Gather", LAST, shares, to.longs(e));
      String part = to.add("Mul", layer(active, out, second, e), share);
      sum = sum.isEmpty() ? part : to.add("Add", sum, part);
    }
    // no token is one that a 0 stands for
    Map<String, Attribute> whole = Map.of("allowzero", new Attribute.Int(1));
    to.into("Reshape", whole, sum, to.add("Shape", to.in(0)));
  }

  /** How much of each expert a token takes, {@code [tokens, experts]}. */
  private String shares() {
    String router = to.in(1);
    boolean normalised = node.intAttribute("normalize_routing_weights", 0) != 0;
    String from = normalised ? router : to.add("Softmax", LAST, router);
    List<String> best =
        to.addAll(
            "TopK",
            LAST,
            List.of(from, to.longs(node.intAttribute("k", 1))),
            List.of(to.fresh(), to.fresh()));
    String kept = normalised ? to.add("Softmax", LAST, best.get(0)) : best.get(0);
    String zero = to.add("ConstantOfShape", to.add("Shape", router));
    return to.add("ScatterElements", LAST, to.add("CastLike", zero, kept), best.get(1), kept);
  }

  /** A layer of an expert, with its bias. */
  private String layer(String x, int input, Tensor weights, int expert) {
    int bias = input + (packed ? 2 : 1);
    Weights own = packed ? packed(input, weights, expert) : dense(weights, expert);
    own.validate(node.name());
    String product = to.add("MatMul", x, to.constant(new Constant.Compressed(own, true)));
    return to.has(bias)
        ? to.add("Add", product, to.add("Gather", FIRST, to.in(bias), scalar(expert)))
        : product;
  }

  private static Weights dense(Tensor weights, int expert) {
    long rows = weights.shape().extent(1);
    long columns = weights.shape().extent(2);
    long bytes = rows * columns * weights.dtype().bytes();
    return new Dense(
        Tensor.of(
            weights.dtype(),
            Shape.of(rows, columns),
            weights.data().asSlice(expert * bytes, bytes)));
  }

  private Weights packed(int input, Tensor codes, int expert) {
    int bits = Math.toIntExact(node.intAttribute("expert_weight_bits", 4));
    Tensor scales = VendorBlocks.constant(node, input + 1, constants);
    long rows = codes.shape().extent(1);
    long bytes = rows * codes.shape().extent(2);
    long columns = codes.shape().extent(2) * Byte.SIZE / bits;
    long experts = codes.shape().extent(0);
    long block = node.intAttribute("block_size", columns);
    boolean whole = columns * bits % Integer.SIZE == 0 && block > 0 && columns % block == 0;
    if (codes.dtype() != DType.U8 || bits != 2 && bits != 4 && bits != 8 || !whole) {
      throw node.unsupported(
          "has weights " + codes + " of " + bits + " bits in blocks of " + block,
          "use 2, 4 or 8 bits in rows of whole blocks and words");
    }
    long ofExpert = rows * (columns / block);
    if (!scales.dtype().isFloating() || scales.elements() != experts * ofExpert) {
      throw node.problem("has the scales " + scales, "give " + ofExpert + " for each expert");
    }
    long scaleBytes = ofExpert * scales.dtype().bytes();
    return new Packed(
        Math.toIntExact(rows),
        Math.toIntExact(columns),
        new PackedIntegers(
            bits,
            Math.toIntExact(columns),
            Math.toIntExact(block),
            codes.data().asSlice(expert * bytes, bytes),
            scales.dtype(),
            scales.data().asSlice(expert * scaleBytes, scaleBytes),
            PackedIntegers.NONE,
            PackedIntegers.NONE));
  }

  private String activated(String x) {
    return switch (node.textAttribute("activation_type", "relu")) {
      case "relu" -> to.add("Relu", x);
      case "gelu" -> to.add("Gelu", Map.of("approximate", new Attribute.Text("tanh")), x);
      case "silu" -> to.add("Mul", x, to.add("Sigmoid", x));
      case "identity" -> x;
      case String other ->
          throw node.unsupported(
              "has the activation '" + other + "'", "use relu, gelu, silu, swiglu or identity");
    };
  }

  /** {@code g * sigmoid(alpha * g) * (l + beta)} of two bounded halves. */
  private String gate(String both, long width) {
    String[] halves = new String[2];
    long form = node.intAttribute("swiglu_fusion", 0);
    if (form != 1 && form != 2) {
      throw node.unsupported("has its gate in a matrix of its own", "export it fused with fc1");
    }
    // one beside the other, or one behind the other
    String pairs =
        to.add("Reshape", both, form == 1 ? to.longs(0, width, 2) : to.longs(0, 2, width));
    for (int i = 0; i < 2; i++) {
      Map<String, Attribute> axis = Map.of("axis", new Attribute.Int(form == 1 ? 2 : 1));
      halves[i] = to.add("Gather", axis, pairs, scalar(i));
    }
    float limit = node.floatAttribute("swiglu_limit", Float.POSITIVE_INFINITY);
    String gate = to.add("Min", halves[0], like(limit, both));
    String linear = to.add("Max", to.add("Min", halves[1], like(limit, both)), like(-limit, both));
    String scaled = to.add("Mul", gate, like(node.floatAttribute("activation_alpha", 1), both));
    String open = to.add("Mul", gate, to.add("Sigmoid", scaled));
    String shifted = to.add("Add", linear, like(node.floatAttribute("activation_beta", 0), both));
    return to.add("Mul", open, shifted);
  }

  private String like(float number, String x) {
    return to.add("CastLike", to.constant(Tensor.of(new float[] {number}, 1)), x);
  }

  private String scalar(long index) {
    return to.constant(Tensor.of(new long[] {index}));
  }
}
