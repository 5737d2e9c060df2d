package dev.filigree.graph.pass;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.LongStream;

/**
 * Operators of ONNX Runtime whose tensors have their channels last, {@code [batch, place...,
 * channels]}, as its optimiser writes quantised convolutions and pools. Each becomes the operator
 * with channels first between two transpositions; weights are {@code [out, in, kernel...]} in both.
 */
final class ChannelsLast {
  /** The domain whose operators are ONNX's, all of them with channels last. */
  private static final String INTERNAL = "com.ms.internal.nhwc";

  private static final String VENDOR = "com.microsoft";
  private static final String ATTRIBUTE = "channels_last";

  /** Those of the internal domain that are more than elements one by one. */
  private static final Set<String> MOVED =
      Set.of(
          "AveragePool",
          "Conv",
          "ConvTranspose",
          "GlobalAveragePool",
          "GlobalMaxPool",
          "MaxPool",
          "QLinearConv");

  private ChannelsLast() {}

  /** Whether a node's domain has operators that are written otherwise here. */
  static boolean concerns(Node node) {
    return node.domain().equals(INTERNAL);
  }

  /**
   * A node with channels first between transpositions, or the node itself.
   *
   * @param types what is known of a value's type by its name
   * @throws dev.filigree.UnsupportedException if the number of axes is not known, or the operator
   *     has more than one result
   */
  static List<Node> apart(
      Node node, Map<String, Constant> constants, Function<String, Optional<ValueType>> types) {
    Node first = channelsFirst(node);
    if (first == null) {
      return List.of(node);
    }
    if (!isLast(node)) {
      return List.of(first);
    }
    if (node.outputs().stream().filter(name -> !name.isEmpty()).count() > 1) {
      throw node.unsupported(
          "has its channels last and delivers places", "export it with channels first");
    }
    int rank = rank(node, constants, types);
    List<Node> nodes = new ArrayList<>();
    List<String> inputs = new ArrayList<>(first.inputs());
    inputs.set(0, transposed(nodes, node, inputs.getFirst(), forward(rank)));
    int added = first.type().equals("FusedConv") ? 3 : inputs.size();
    if (added < inputs.size() && !inputs.get(added).isEmpty()) {
      inputs.set(added, transposed(nodes, node, inputs.get(added), forward(rank)));
    }
    String made = node.output() + "\u00b7first";
    nodes.add(
        new Node(
            node.name(), first.domain(), first.type(), inputs, List.of(made), first.attributes()));
    nodes.add(transpose(node.name() + "/last", made, node.output(), backward(rank)));
    return nodes;
  }

  private static boolean isLast(Node node) {
    return node.domain().equals(INTERNAL)
        || node.type().startsWith("Nhwc")
        || node.intAttribute(ATTRIBUTE, 0) != 0;
  }

  /** The operator with channels first; null if the node is none of these. */
  private static Node channelsFirst(Node node) {
    if (node.domain().equals(INTERNAL) && MOVED.contains(node.type())) {
      return as(node, Node.ONNX, node.type());
    }
    if (!node.domain().equals(VENDOR)) {
      return null;
    }
    return switch (node.type()) {
      case "QLinearConv" -> as(node, Node.ONNX, "QLinearConv");
      case "NhwcMaxPool" -> as(node, Node.ONNX, "MaxPool");
      case "NhwcFusedConv" -> as(node, VENDOR, "FusedConv");
      case "QLinearAveragePool", "QLinearGlobalAveragePool" ->
          isLast(node) ? as(node, VENDOR, node.type()) : null;
      default -> null;
    };
  }

  private static Node as(Node node, String domain, String type) {
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    attributes.remove(ATTRIBUTE);
    return new Node(node.name(), domain, type, node.inputs(), node.outputs(), attributes);
  }

  private static int rank(
      Node node, Map<String, Constant> constants, Function<String, Optional<ValueType>> types) {
    Optional<Integer> kernel = node.intsAttribute("kernel_shape").map(shape -> shape.size() + 2);
    Optional<Integer> weights =
        node.type().equals("QLinearConv")
            ? node.input(3).map(constants::get).map(found -> found.type().rank())
            : Optional.empty();
    return kernel
        .or(() -> weights)
        .or(() -> types.apply(node.inputs().getFirst()).map(ValueType::rank))
        .orElseThrow(
            () ->
                node.unsupported(
                    "has its channels last, of an undeclared number of axes",
                    "declare the shape of '" + node.inputs().getFirst() + "'"));
  }

  private static List<Long> forward(int rank) {
    return LongStream.range(0, rank)
        .map(axis -> axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1)
        .boxed()
        .toList();
  }

  private static List<Long> backward(int rank) {
    return LongStream.range(0, rank)
        .map(axis -> axis == 0 ? 0 : axis == rank - 1 ? 1 : axis + 1)
        .boxed()
        .toList();
  }

  private static String transposed(List<Node> nodes, Node node, String x, List<Long> order) {
    String name = node.output() + "\u00b7of" + nodes.size();
    nodes.add(transpose(node.name() + "/first" + nodes.size(), x, name, order));
    return name;
  }

  private static Node transpose(String name, String x, String y, List<Long> order) {
    Map<String, Attribute> perm = Map.of("perm", new Attribute.Ints(order));
    return new Node(name, Node.ONNX, "Transpose", List.of(x), List.of(y), perm);
  }
}
