package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Float operators of ONNX Runtime: activations, normalisations with a sum, attention. */
final class VendorLayers {
  /** What ONNX Runtime adds to scores that are masked, where the file does not say. */
  private static final float MASKED = -10000;

  static final Map<String, LowerVendorOperators.Rule> RULES =
      Map.ofEntries(
          Map.entry("Gelu", (node, to, all) -> to.into("Gelu", Map.of(), to.in(0))),
          Map.entry(
              "BiasGelu",
              (node, to, all) -> to.into("Gelu", Map.of(), to.add("Add", to.in(0), to.in(1)))),
          Map.entry("FastGelu", VendorLayers::fastGelu),
          Map.entry("QuickGelu", VendorLayers::quickGelu),
          Map.entry("SkipLayerNormalization", VendorLayers::skipLayerNormalization),
          Map.entry("SimplifiedLayerNormalization", VendorLayers::rootMeanSquare),
          Map.entry("SkipSimplifiedLayerNormalization", VendorLayers::skipRootMeanSquare),
          Map.entry("EmbedLayerNormalization", VendorLayers::embedding),
          Map.entry("Attention", VendorLayers::attention),
          Map.entry("MultiHeadAttention", VendorLayers::multiHeadAttention),
          Map.entry("GroupQueryAttention", VendorCaches::groupQueryAttention),
          Map.entry("FusedMatMul", VendorLayers::matMul),
          Map.entry("FusedConv", VendorLayers::convolution),
          Map.entry("FusedGemm", VendorLayers::gemm),
          Map.entry("RotaryEmbedding", VendorLayers::rotaryEmbedding));

  private VendorLayers() {}

  private static void fastGelu(Node node, Lowered to, Map<String, Constant> all) {
    String x = to.has(1) ? to.add("Add", to.in(0), to.in(1)) : to.in(0);
    to.into("Gelu", Map.of("approximate", new Attribute.Text("tanh")), x);
  }

  private static void quickGelu(Node node, Lowered to, Map<String, Constant> all) {
    float alpha = node.floatAttribute("alpha", 1.702f);
    to.into("Swish", Map.of("alpha", new Attribute.Real(alpha)), to.in(0));
  }

  /** The sum of input, skip and bias, which may be an output of its own. */
  private static String skip(Node node, Lowered to, int bias) {
    boolean delivered = node.outputs().size() > 3 && !node.outputs().get(3).isEmpty();
    String last = delivered ? node.outputs().get(3) : to.fresh();
    if (!to.has(bias)) {
      return to.add("Add", Map.of(), List.of(to.in(0), to.in(1)), last);
    }
    String sum = to.add("Add", to.in(0), to.in(1));
    return to.add("Add", Map.of(), List.of(sum, to.in(bias)), last);
  }

  private static Map<String, Attribute> epsilon(Node node, float otherwise) {
    return Map.of("epsilon", new Attribute.Real(node.floatAttribute("epsilon", otherwise)));
  }

  private static void skipLayerNormalization(Node node, Lowered to, Map<String, Constant> all) {
    String sum = skip(node, to, 4);
    if (to.has(3)) {
      to.into("LayerNormalization", epsilon(node, 1e-12f), sum, to.in(2), to.in(3));
    } else {
      to.into("LayerNormalization", epsilon(node, 1e-12f), sum, to.in(2));
    }
  }

  private static void rootMeanSquare(Node node, Lowered to, Map<String, Constant> all) {
    Map<String, Attribute> attributes = new HashMap<>(epsilon(node, 1e-5f));
    attributes.putAll(to.attributes("axis"));
    to.into("RMSNormalization", attributes, to.in(0), to.in(1));
  }

  private static void skipRootMeanSquare(Node node, Lowered to, Map<String, Constant> all) {
    to.into("RMSNormalization", epsilon(node, 1e-5f), skip(node, to, 3), to.in(2));
  }

  private static void embedding(Node node, Lowered to, Map<String, Constant> all) {
    String words = to.add("Gather", to.in(2), to.in(0));
    String positions = to.in(8);
    if (!to.has(8)) {
      String shape = to.add("Shape", to.in(0));
      String tokens = to.add("Gather", shape, to.constant(Tensor.of(new long[] {1})));
      String zero = to.constant(Tensor.of(new long[] {0}));
      positions = to.add("Range", zero, tokens, to.constant(Tensor.of(new long[] {1})));
    }
    String sum = to.add("Add", words, to.add("Gather", to.in(3), positions));
    if (to.has(4)) {
      sum = to.add("Add", sum, to.add("Gather", to.in(4), to.in(1)));
    }
    if (node.outputs().size() > 2 && !node.outputs().get(2).isEmpty()) {
      to.add("Identity", Map.of(), List.of(sum), node.outputs().get(2));
    }
    if (node.outputs().size() > 1 && !node.outputs().get(1).isEmpty()) {
      // how many tokens of each text are none of the padding
      if (!to.has(7)) {
        throw node.unsupported("delivers an index without a mask", "pass the mask");
      }
      String counted =
          to.add(
              "ReduceSum",
              // an attribute up to operator set 12, an input from then on
              Map.of("keepdims", new Attribute.Int(0), "axes", new Attribute.Ints(List.of(1L))),
              to.in(7),
              to.constant(Tensor.of(new long[] {1}, 1)));
      to.add("Cast", type(DType.I32), List.of(counted), node.outputs().get(1));
    }
    to.into("LayerNormalization", epsilon(node, 1e-12f), sum, to.in(5), to.in(6));
  }

  private static Map<String, Attribute> type(DType dtype) {
    return Map.of("to", new Attribute.Int(OnnxTypes.number(dtype)));
  }

  private static void attention(Node node, Lowered to, Map<String, Constant> all) {
    if (to.has(6)) {
      throw node.unsupported(
          "writes into a buffer of earlier keys and values", "export it without a shared buffer");
    }
    if (node.intsAttribute("qkv_hidden_sizes").isPresent()
        || node.intAttribute("do_rotary", 0) != 0) {
      throw node.unsupported("has heads of different widths or turns them", "export it otherwise");
    }
    String product = to.add("MatMul", to.in(0), to.in(1));
    String joined = to.has(2) ? to.add("Add", product, to.in(2)) : product;
    List<String> parts =
        to.addAll(
            "Split",
            Map.of("axis", new Attribute.Int(-1), "num_outputs", new Attribute.Int(3)),
            List.of(joined),
            List.of(to.fresh(), to.fresh(), to.fresh()));
    VendorCaches.Memory memory = VendorCaches.joined(node, to, 4);
    attend(node, to, parts, mask(node, to, 3, 5), memory);
    memory.deliver(to);
  }

  private static void multiHeadAttention(Node node, Lowered to, Map<String, Constant> all) {
    boolean shares = to.has(8) || to.has(9) || node.outputs().size() > 3;
    if (!to.has(1) || !to.has(2) || to.has(6) != to.has(7) || shares) {
      throw node.unsupported(
          "packs its inputs, shares a buffer or delivers its scores",
          "export it with query, key and value apart, and without a shared buffer");
    }
    List<String> parts = List.of(to.in(0), to.in(1), to.in(2));
    if (to.has(3)) {
      List<String> biases =
          to.addAll(
              "Split",
              Map.of("axis", new Attribute.Int(0), "num_outputs", new Attribute.Int(3)),
              List.of(to.in(3)),
              List.of(to.fresh(), to.fresh(), to.fresh()));
      parts =
          List.of(
              to.add("Add", parts.get(0), biases.get(0)),
              to.add("Add", parts.get(1), biases.get(1)),
              to.add("Add", parts.get(2), biases.get(2)));
    }
    attend(node, to, parts, mask(node, to, 4, 5), VendorCaches.apart(node, to, 6));
  }

  /** What is added to the scores: 0 or a large negative number by key, and a bias. */
  private static String mask(Node node, Lowered to, int mask, int bias) {
    String added = to.in(bias);
    if (to.has(mask)) {
      // a mask of one axis has lengths instead of zeros and ones: it has no second axis to keep
      Map<String, Attribute> keep = Map.of("perm", new Attribute.Ints(List.of(0L, 1L)));
      String kept = to.add("Cast", type(DType.F32), to.add("Transpose", keep, to.in(mask)));
      String one = to.constant(Tensor.of(new float[] {1}));
      String masked = to.constant(Tensor.of(new float[] {masked(node)}));
      String scores = to.add("Mul", to.add("Sub", one, kept), masked);
      String shape = to.constant(Tensor.of(new long[] {0, 1, 1, -1}, 4));
      String spread = to.add("Reshape", scores, shape);
      added = added.isEmpty() ? spread : to.add("Add", spread, added);
    }
    return added;
  }

  private static float masked(Node node) {
    return node.floatAttribute("mask_filter_value", MASKED);
  }

  private static void attend(
      Node node, Lowered to, List<String> parts, String mask, VendorCaches.Memory memory) {
    Attribute heads = new Attribute.Int(node.intAttribute("num_heads", 1));
    Map<String, Attribute> attributes = new HashMap<>();
    attributes.put("q_num_heads", heads);
    attributes.put("kv_num_heads", heads);
    attributes.put("is_causal", new Attribute.Int(node.intAttribute("unidirectional", 0)));
    if (node.floatAttribute("scale", 0) != 0) {
      attributes.putAll(to.attributes("scale"));
    }
    List<String> inputs = new ArrayList<>(parts);
    if (memory.exists()) {
      inputs.addAll(List.of(mask, memory.pastKey(), memory.pastValue()));
    } else if (!mask.isEmpty()) {
      inputs.add(mask);
    }
    to.addAll("Attention", attributes, inputs, memory.outputs(node));
  }

  private static void matMul(Node node, Lowered to, Map<String, Constant> all) {
    boolean left = node.intAttribute("transA", 0) != 0;
    boolean right = node.intAttribute("transB", 0) != 0;
    float alpha = node.floatAttribute("alpha", 1);
    if (node.intAttribute("transBatchA", 0) != 0 || node.intAttribute("transBatchB", 0) != 0) {
      throw node.unsupported("moves a batch axis", "export it with optimisation of level basic");
    }
    String result = alpha == 1 ? node.output() : to.fresh();
    if (left || right) {
      String equation = (left ? "...ki," : "...ik,") + (right ? "...jk" : "...kj") + "->...ij";
      to.add(
          "Einsum",
          Map.of("equation", new Attribute.Text(equation)),
          List.of(to.in(0), to.in(1)),
          result);
    } else {
      to.add("MatMul", Map.of(), List.of(to.in(0), to.in(1)), result);
    }
    if (alpha != 1) {
      String factor = to.constant(Tensor.of(new float[] {alpha}));
      to.into("Mul", Map.of(), result, to.add("CastLike", factor, result));
    }
  }

  private static void convolution(Node node, Lowered to, Map<String, Constant> all) {
    String type = node.textAttribute("activation", "");
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    attributes.remove("activation");
    attributes.remove("activation_params");
    List<String> inputs =
        to.has(2) ? List.of(to.in(0), to.in(1), to.in(2)) : List.of(to.in(0), to.in(1));
    boolean plain = type.isEmpty();
    String result =
        to.add("Conv", attributes, inputs, plain && !to.has(3) ? node.output() : to.fresh());
    if (to.has(3)) {
      result =
          to.add("Add", Map.of(), List.of(result, to.in(3)), plain ? node.output() : to.fresh());
    }
    if (!plain) {
      activate(node, to, type, result);
    }
  }

  private static void gemm(Node node, Lowered to, Map<String, Constant> all) {
    List<String> inputs =
        to.has(2) ? List.of(to.in(0), to.in(1), to.in(2)) : List.of(to.in(0), to.in(1));
    Map<String, Attribute> attributes = to.attributes("alpha", "beta", "transA", "transB");
    String product = to.add("Gemm", attributes, inputs, to.fresh());
    String type = node.textAttribute("activation", "");
    String alpha = "activation_alpha";
    Map<String, Attribute> slope =
        type.equals("LeakyRelu") && node.attributes().containsKey(alpha)
            ? Map.of("alpha", node.attributes().get(alpha))
            : Map.of();
    if (!type.isEmpty() && !List.of("Relu", "Sigmoid", "Tanh", "LeakyRelu").contains(type)) {
      throw node.unsupported(
          "has the activation '" + type + "'", "export it with optimisation of level basic");
    }
    to.into(type.isEmpty() ? "Identity" : type, slope, product);
  }

  private static void activate(Node node, Lowered to, String type, String x) {
    List<Float> numbers =
        node.attributes().get("activation_params") instanceof Attribute.Reals(List<Float> values)
            ? values
            : List.of();
    List<String> names =
        switch (type) {
          case "Relu", "Sigmoid", "Tanh", "Clip" -> List.of();
          case "LeakyRelu" -> List.of("alpha");
          case "HardSigmoid" -> List.of("alpha", "beta");
          default ->
              throw node.unsupported(
                  "has the activation '" + type + "'",
                  "export it with optimisation of level basic");
        };
    if (numbers.size() < (type.equals("Clip") ? 2 : names.size())) {
      throw node.problem("lacks numbers of its activation", "export it again");
    }
    if (type.equals("Clip")) {
      String least = to.constant(Tensor.of(new float[] {numbers.get(0)}));
      String most = to.constant(Tensor.of(new float[] {numbers.get(1)}));
      // attributes up to operator set 10, inputs from then on
      Map<String, Attribute> bounds =
          Map.of(
              "min", new Attribute.Real(numbers.get(0)),
              "max", new Attribute.Real(numbers.get(1)));
      to.into(type, bounds, x, least, most);
      return;
    }
    Map<String, Attribute> attributes = new HashMap<>();
    for (int i = 0; i < names.size(); i++) {
      attributes.put(names.get(i), new Attribute.Real(numbers.get(i)));
    }
    to.into(type, attributes, x);
  }

  private static void rotaryEmbedding(Node node, Lowered to, Map<String, Constant> all) {
    // the vendor's form takes the tables last
    Map<String, Attribute> attributes =
        to.attributes("interleaved", "num_heads", "rotary_embedding_dim");
    to.into("RotaryEmbedding", attributes, to.in(0), to.in(2), to.in(3), to.in(1));
  }
}
