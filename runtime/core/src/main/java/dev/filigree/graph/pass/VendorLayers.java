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
import java.util.Set;
import java.util.function.IntFunction;

/** Float operators of ONNX Runtime: activations, normalisations with a sum, products. */
final class VendorLayers {
  private static final Set<String> GEMM_ACTIVATIONS =
      Set.of(
          "Elu",
          "HardSigmoid",
          "LeakyRelu",
          "Relu",
          "Selu",
          "Sigmoid",
          "Softplus",
          "Softsign",
          "Tanh",
          "ThresholdedRelu");

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
          Map.entry("QEmbedLayerNormalization", VendorLayers::codedEmbedding),
          Map.entry("FusedMatMul", VendorLayers::matMul),
          Map.entry("TransposeMatMul", VendorLayers::matMul),
          Map.entry("FusedConv", VendorLayers::convolution),
          Map.entry("FusedGemm", VendorLayers::gemm),
          Map.entry("GridSample", VendorLayers::unchanged),
          Map.entry("Pad", VendorLayers::unchanged),
          Map.entry("Range", VendorLayers::unchanged),
          Map.entry("Trilu", VendorLayers::unchanged),
          Map.entry("Unique", VendorLayers::unique));

  private VendorLayers() {}

  /** ONNX took the operator over in the same form. */
  private static void unchanged(Node node, Lowered to, Map<String, Constant> all) {
    to.addAll(node.type(), node.attributes(), node.inputs(), node.outputs());
  }

  /** The values in the order they first come in, with the place of each and its number. */
  private static void unique(Node node, Lowered to, Map<String, Constant> all) {
    List<String> outputs = new ArrayList<>(node.outputs());
    outputs.add(1, "");
    to.addAll("Unique", Map.of("sorted", new Attribute.Int(0)), node.inputs(), outputs);
  }

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
    String positions = to.has(8) ? to.in(8) : to.upTo(to.extent(to.in(0), 1));
    embed(node, to, i -> i < 5 ? rows(to, i, positions) : to.in(i));
  }

  /** Tables, scale and shift as codes, whose scales and zero points come behind the mask. */
  private static void codedEmbedding(Node node, Lowered to, Map<String, Constant> all) {
    String positions = to.upTo(to.extent(to.in(0), 1));
    embed(
        node,
        to,
        i -> {
          String codes = i < 5 ? rows(to, i, positions) : to.in(i);
          return to.add("DequantizeLinear", codes, to.in(i + 6), to.in(i + 11));
        });
  }

  /** Rows of a table, that of words, positions or segments. */
  private static String rows(Lowered to, int table, String positions) {
    String indices = table == 2 ? to.in(0) : table == 3 ? positions : to.in(1);
    return to.add("Gather", to.in(table), indices);
  }

  /**
   * Sums rows of the tables and normalises the sum.
   *
   * @param value floats of inputs 2 to 6: rows of the tables, scale and shift
   */
  private static void embed(Node node, Lowered to, IntFunction<String> value) {
    String sum = to.add("Add", value.apply(2), value.apply(3));
    if (to.has(4)) {
      sum = to.add("Add", sum, value.apply(4));
    }
    if (node.outputs().size() > 2 && !node.outputs().get(2).isEmpty()) {
      to.add("Identity", Map.of(), List.of(sum), node.outputs().get(2));
    }
    if (node.outputs().size() > 1 && !node.outputs().get(1).isEmpty()) {
      index(node, to);
    }
    to.into("LayerNormalization", epsilon(node, 1e-12f), sum, value.apply(5), value.apply(6));
  }

  /** How many tokens of each text are none of the padding; 0 without a mask. */
  private static void index(Node node, Lowered to) {
    String output = node.outputs().get(1);
    if (!to.has(7)) {
      String zero = to.constant(Tensor.of(new int[] {0}));
      to.add("Expand", Map.of(), List.of(zero, to.extents(to.in(0), 0)), output);
      return;
    }
    String counted =
        to.add(
            "ReduceSum",
            // an attribute up to operator set 12, an input from then on
            Map.of("keepdims", new Attribute.Int(0), "axes", new Attribute.Ints(List.of(1L))),
            to.in(7),
            to.longs(1));
    to.add(
        "Cast",
        Map.of("to", new Attribute.Int(OnnxTypes.number(DType.I32))),
        List.of(counted),
        output);
  }

  private static void matMul(Node node, Lowered to, Map<String, Constant> all) {
    boolean left = node.intAttribute("transA", 0) != 0;
    boolean right = node.intAttribute("transB", 0) != 0;
    float alpha = node.floatAttribute("alpha", 1);
    boolean leftBatch = node.intAttribute("transBatchA", 0) != 0;
    boolean rightBatch = node.intAttribute("transBatchB", 0) != 0;
    String result = alpha == 1 ? node.output() : to.fresh();
    if (left || right || leftBatch || rightBatch) {
      // the axis in front of those of the batch is the last but one where the batch is moved
      String a = term(left ? "ki" : "ik", leftBatch);
      String equation = a + "," + term(right ? "jk" : "kj", rightBatch) + "->...ij";
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

  private static String term(String axes, boolean batch) {
    return batch ? axes.charAt(0) + "..." + axes.charAt(1) : "..." + axes;
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
    Map<String, Attribute> slope = new HashMap<>();
    for (String number : List.of("alpha", "beta", "gamma")) {
      Attribute value = node.attributes().get("activation_" + number);
      if (value != null) {
        slope.put(number, value);
      }
    }
    if (!type.isEmpty() && !GEMM_ACTIVATIONS.contains(type)) {
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
}
