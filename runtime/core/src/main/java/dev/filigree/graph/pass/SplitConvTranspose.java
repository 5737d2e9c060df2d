package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a transposed convolution whose windows do not overlap as a convolution of one pixel with
 * an output for each place in the window, whose results are then put beside each other:
 *
 * <pre>
 *   ConvTranspose [in, out, k, k], stride k  -&gt;  Conv [out * k * k, in, 1, 1] -&gt; DepthToSpace k
 * </pre>
 */
final class SplitConvTranspose implements Pass {
  @Override
  public Graph apply(Graph graph) {
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (!split(node, constants, nodes)) {
        nodes.add(node);
      }
    }
    return new RemoveDeadCode().apply(graph.with(nodes, constants));
  }

  private static boolean split(Node node, Map<String, Constant> constants, List<Node> nodes) {
    if (!node.is("ConvTranspose")
        || !(constants.get(node.inputs().get(1)) instanceof Constant.Plain(Tensor weights))
        || weights.shape().rank() != 4
        || weights.dtype() != DType.F32) {
      return false;
    }
    long block = weights.shape().extent(2);
    boolean apart =
        block == weights.shape().extent(3)
            && block <= Short.MAX_VALUE
            && node.intAttribute("group", 1) == 1
            && are(node, "strides", block, 1)
            && are(node, "pads", 0, 0)
            && are(node, "output_padding", 0, 0)
            && are(node, "dilations", 1, 1)
            && !node.attributes().containsKey("output_shape")
            && List.of("NOTSET", "VALID").contains(node.textAttribute("auto_pad", "NOTSET"));
    boolean plainBias =
        node.input(2).isEmpty()
            || constants.get(node.inputs().get(2)) instanceof Constant.Plain(Tensor bias)
                && bias.dtype() == DType.F32;
    if (!apart || !plainBias) {
      return false;
    }
    String w = node.output() + "_places";
    List<String> inputs = new ArrayList<>(List.of(node.inputs().getFirst(), w));
    constants.put(w, new Constant.Plain(places(weights.contiguous())));
    if (node.input(2).isPresent()) {
      Tensor bias = constants.get(node.inputs().get(2)).toTensor();
      inputs.add(node.output() + "_shifts");
      constants.put(inputs.getLast(), new Constant.Plain(repeated(bias, block * block)));
    }
    String apartOutput = node.output() + "_apart";
    nodes.add(new Node(node.name(), Node.ONNX, "Conv", inputs, List.of(apartOutput), Map.of()));
    nodes.add(
        new Node(
            node.name() + "_together",
            Node.ONNX,
            "DepthToSpace",
            List.of(apartOutput),
            List.of(node.output()),
            Map.of("blocksize", new Attribute.Int(block), "mode", new Attribute.Text("CRD"))));
    return true;
  }

  private static boolean are(Node node, String attribute, long wanted, long usual) {
    return node.intsAttribute(attribute)
        .map(values -> values.stream().allMatch(value -> value == wanted))
        .orElse(wanted == usual);
  }

  /** {@code [in, out, k, k]} as {@code [out * k * k, in, 1, 1]}. */
  private static Tensor places(Tensor weights) {
    long in = weights.shape().extent(0);
    long rows = weights.elements() / Math.max(1, in);
    Tensor places = Tensor.zeros(DType.F32, Shape.of(rows, in, 1, 1));
    for (long c = 0; c < in; c++) {
      for (long row = 0; row < rows; row++) {
        places.setDouble(row * in + c, weights.getDouble(c * rows + row));
      }
    }
    return places;
  }

  private static Tensor repeated(Tensor bias, long times) {
    Tensor repeated = Tensor.zeros(DType.F32, Shape.of(bias.elements() * times));
    for (long i = 0; i < repeated.elements(); i++) {
      repeated.setDouble(i, bias.getDouble(i / times));
    }
    return repeated;
  }
}
