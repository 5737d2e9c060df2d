package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * DynamicQuantizeLSTM, which ONNX Runtime's quantiser makes of LSTM:
 *
 * <pre>
 *   W  i8 or u8 [directions, input, 4 * hidden]     LSTM's [directions, 4 * hidden, input] turned
 *   R  i8 or u8 [directions, hidden, 4 * hidden]
 *   scales and zero points [directions] or [directions, 4 * hidden]
 * </pre>
 *
 * The input is rounded to the steps of its own range as there; the state, which ONNX Runtime rounds
 * anew at each step by the range of as many sequences as one of its threads has, stays in floats.
 */
final class VendorRecurrent {
  /** Inputs that LSTM has too: its weights, and what comes before and after them. */
  private static final int SHARED = 8;

  private static final int WEIGHT_SCALE = 8;
  private static final int STATE_SCALE = 10;
  private static final Map<String, Attribute> TO_F32 =
      Map.of("to", new Attribute.Int(OnnxTypes.number(DType.F32)));

  private VendorRecurrent() {}

  static void lstm(Node node, Lowered to, Map<String, Constant> constants) {
    if (!to.has(WEIGHT_SCALE) || !to.has(STATE_SCALE)) {
      throw node.problem("lacks the scales of its weights", "export it again");
    }
    long directions = node.textAttribute("direction", "forward").equals("bidirectional") ? 2 : 1;
    List<String> codes =
        to.addAll(
            "DynamicQuantizeLinear",
            Map.of(),
            List.of(to.in(0)),
            List.of(to.fresh(), to.fresh(), to.fresh()));
    List<String> inputs = new ArrayList<>();
    inputs.add(to.add("DequantizeLinear", codes.toArray(String[]::new)));
    inputs.add(weights(to, 1, WEIGHT_SCALE, directions));
    inputs.add(weights(to, 2, STATE_SCALE, directions));
    for (int i = inputs.size(); i < SHARED; i++) {
      inputs.add(to.in(i));
    }
    to.addAll(
        "LSTM",
        to.attributes(
            "activation_alpha",
            "activation_beta",
            "activations",
            "clip",
            "direction",
            "hidden_size",
            "input_forget"),
        inputs,
        node.outputs());
  }

  /** What the codes stand for, in LSTM's order. */
  private static String weights(Lowered to, int codes, int scale, long directions) {
    String perColumn = to.constant(Tensor.of(new long[] {directions, 1, -1}, 3));
    String values = to.add("Cast", TO_F32, to.in(codes));
    if (to.has(scale + 1)) {
      String zero = to.add("Cast", TO_F32, to.add("Reshape", to.in(scale + 1), perColumn));
      values = to.add("Sub", values, zero);
    }
    values = to.add("Mul", values, to.add("Reshape", to.in(scale), perColumn));
    return to.add("Transpose", Map.of("perm", new Attribute.Ints(List.of(0L, 2L, 1L))), values);
  }
}
