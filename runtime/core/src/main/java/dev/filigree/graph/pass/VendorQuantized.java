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

/**
 * Quantised operators of ONNX Runtime: integers are widened, the float operator applied, and its
 * result quantised, which is what these operators are defined to give. The node that quantises says
 * which operator it ends, for ONNX Runtime rounds some of them in other places.
 */
final class VendorQuantized {
  private static final String DEQUANTIZE = "DequantizeLinear";
  private static final String QUANTIZE = "QuantizeLinear";

  /** Attribute of a QuantizeLinear: the operator whose result it quantises. */
  static final String OF = "of";

  private static final Map<String, Attribute> TO_F32 =
      Map.of("to", new Attribute.Int(OnnxTypes.number(DType.F32)));

  static final Map<String, LowerVendorOperators.Rule> RULES =
      Map.ofEntries(
          Map.entry(DEQUANTIZE, VendorQuantized::unchanged),
          Map.entry(QUANTIZE, VendorQuantized::unchanged),
          Map.entry("QLinearAdd", (node, to, all) -> pair(node, to, "Add")),
          Map.entry("QLinearMul", (node, to, all) -> pair(node, to, "Mul")),
          Map.entry("QLinearSigmoid", (node, to, all) -> single(node, to, "Sigmoid", Map.of())),
          Map.entry(
              "QLinearLeakyRelu",
              (node, to, all) -> single(node, to, "LeakyRelu", to.attributes("alpha"))),
          Map.entry(
              "QLinearSoftmax",
              (node, to, all) -> single(node, to, "Softmax", to.attributes("axis"))),
          Map.entry("QLinearGlobalAveragePool", VendorQuantized::globalPool),
          Map.entry("QLinearAveragePool", VendorQuantized::pool),
          Map.entry("QLinearConcat", VendorQuantized::concat),
          Map.entry("QLinearWhere", VendorQuantized::where),
          Map.entry("QGemm", VendorQuantized::gemm),
          Map.entry("DynamicQuantizeMatMul", VendorQuantized::dynamicMatMul),
          Map.entry("MatMulIntegerToFloat", VendorQuantized::matMul));

  private VendorQuantized() {}

  /** ONNX's own operator has the same form. */
  private static void unchanged(Node node, Lowered to, Map<String, Constant> all) {
    to.add(node.type(), node.attributes(), node.inputs(), node.output());
  }

  /** The floats of an operand, its scale and its zero point from an input on. */
  private static String floats(Lowered to, int first, Map<String, Attribute> attributes) {
    return dequantize(to, to.in(first), to.in(first + 1), to.in(first + 2), attributes);
  }

  private static String dequantize(
      Lowered to, String codes, String scale, String zero, Map<String, Attribute> attributes) {
    return zero.isEmpty()
        ? to.add(DEQUANTIZE, attributes, codes, scale)
        : to.add(DEQUANTIZE, attributes, codes, scale, zero);
  }

  /** Quantises the result by the scale and zero point of two inputs. */
  private static void quantised(Node node, Lowered to, String value, int scale) {
    Map<String, Attribute> of = Map.of(OF, new Attribute.Text(node.type()));
    if (to.has(scale + 1)) {
      to.into(QUANTIZE, of, value, to.in(scale), to.in(scale + 1));
    } else {
      to.into(QUANTIZE, of, value, to.in(scale));
    }
  }

  private static void pair(Node node, Lowered to, String type) {
    String a = floats(to, 0, Map.of());
    quantised(node, to, to.add(type, a, floats(to, 3, Map.of())), 6);
  }

  private static void single(
      Node node, Lowered to, String type, Map<String, Attribute> attributes) {
    quantised(node, to, to.add(type, attributes, floats(to, 0, Map.of())), 3);
  }

  private static void globalPool(Node node, Lowered to, Map<String, Constant> all) {
    single(node, to, "GlobalAveragePool", Map.of());
  }

  private static void pool(Node node, Lowered to, Map<String, Constant> all) {
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    attributes.remove("channels_last");
    single(node, to, "AveragePool", attributes);
  }

  private static void concat(Node node, Lowered to, Map<String, Constant> all) {
    List<String> parts = new ArrayList<>();
    for (int i = 2; i + 2 < node.inputs().size(); i += 3) {
      parts.add(floats(to, i, Map.of()));
    }
    quantised(node, to, to.add("Concat", to.attributes("axis"), parts, to.fresh()), 0);
  }

  private static void where(Node node, Lowered to, Map<String, Constant> all) {
    String chosen = floats(to, 1, Map.of());
    quantised(node, to, to.add("Where", to.in(0), chosen, floats(to, 4, Map.of())), 7);
  }

  private static void gemm(Node node, Lowered to, Map<String, Constant> all) {
    if (node.intAttribute("transA", 0) == 0 && node.floatAttribute("alpha", 1) == 1) {
      integerGemm(node, to);
      return;
    }
    boolean transposed = node.intAttribute("transB", 0) != 0;
    Map<String, Attribute> byOutput = Map.of("axis", new Attribute.Int(transposed ? 0 : 1));
    List<String> operands = new ArrayList<>();
    operands.add(floats(to, 0, Map.of()));
    operands.add(floats(to, 3, byOutput));
    if (to.has(6)) {
      String scale = to.add("Mul", to.in(1), to.in(4));
      operands.add(to.add("Mul", to.add("Cast", TO_F32, to.in(6)), scale));
    }
    Map<String, Attribute> attributes = to.attributes("alpha", "transA", "transB");
    if (!to.has(7)) {
      to.add("Gemm", attributes, operands, node.output());
      return;
    }
    quantised(node, to, to.add("Gemm", attributes, operands, to.fresh()), 7);
  }

  /** Multiplies integers and scales their sum once, as ONNX Runtime does. */
  private static void integerGemm(Node node, Lowered to) {
    boolean transposed = node.intAttribute("transB", 0) != 0;
    Map<String, Attribute> swap = Map.of("perm", new Attribute.Ints(List.of(1L, 0L)));
    String b = transposed ? to.add("Transpose", swap, to.in(3)) : to.in(3);
    List<String> operands = new ArrayList<>(List.of(to.in(0), b, to.in(2), to.in(5)));
    while (operands.getLast().isEmpty()) {
      operands.removeLast();
    }
    String sums = to.add("MatMulInteger", Map.of(), operands, to.fresh());
    String biased = to.has(6) ? to.add("Add", sums, to.in(6)) : sums;
    String floats = to.add("Cast", TO_F32, biased);
    String scale = to.add("Mul", to.in(1), to.in(4));
    if (!to.has(7)) {
      to.into("Mul", Map.of(), floats, scale);
      return;
    }
    String factor = to.add("Div", scale, to.in(7));
    String scaled = to.add("Mul", floats, factor);
    String one = to.constant(Tensor.of(new float[] {1}));
    if (to.has(8)) {
      to.into(QUANTIZE, Map.of(), scaled, one, to.in(8));
    } else {
      to.into(QUANTIZE, Map.of(), scaled, one);
    }
  }

  private static void dynamicMatMul(Node node, Lowered to, Map<String, Constant> all) {
    List<String> quantised =
        to.addAll(
            "DynamicQuantizeLinear",
            Map.of(),
            List.of(to.in(0)),
            List.of(to.fresh(), to.fresh(), to.fresh()));
    product(
        node,
        to,
        List.of(quantised.get(0), to.in(1), quantised.get(2), to.in(3)),
        List.of(quantised.get(1), to.in(2)),
        4);
  }

  private static void matMul(Node node, Lowered to, Map<String, Constant> all) {
    product(
        node, to, List.of(to.in(0), to.in(1), to.in(4), to.in(5)), List.of(to.in(2), to.in(3)), 6);
  }

  private static void product(
      Node node, Lowered to, List<String> operands, List<String> scales, int bias) {
    List<String> given = new ArrayList<>(operands);
    while (given.getLast().isEmpty()) {
      given.removeLast();
    }
    String sums = to.add("MatMulInteger", Map.of(), given, to.fresh());
    String scale = to.add("Mul", scales.get(0), scales.get(1));
    String floats = to.add("Cast", TO_F32, sums);
    if (to.has(bias)) {
      to.into("Add", Map.of(), to.add("Mul", floats, scale), to.in(bias));
    } else {
      to.into("Mul", Map.of(), floats, scale);
    }
  }
}
