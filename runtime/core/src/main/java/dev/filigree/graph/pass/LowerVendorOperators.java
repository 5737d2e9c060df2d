package dev.filigree.graph.pass;

import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Writes the operators that ONNX Runtime's optimiser and quantiser put into files in terms of
 * ONNX's own, so that all later passes and kernels serve them. What it does not know stays, and is
 * refused later with its name.
 */
final class LowerVendorOperators implements Pass {
  private static final String VENDOR = "com.microsoft";

  /** How the operator of a node is written otherwise. */
  @FunctionalInterface
  interface Rule {
    /**
     * Adds the nodes.
     *
     * @throws UnsupportedException for a form that cannot be written so
     */
    void apply(Node node, Lowered lowered, Map<String, Constant> constants);
  }

  /** The rules; most models need none of them and then do not load their classes. */
  private static final class Rules {
    static final Map<String, Rule> ALL = new HashMap<>();

    static {
      ALL.putAll(VendorLayers.RULES);
      ALL.putAll(VendorAttention.RULES);
      ALL.putAll(VendorQuantized.RULES);
      ALL.put("MatMulBnb4", VendorCodebook::matMul);
      ALL.put("MoE", VendorExperts::mix);
      ALL.put("QMoE", VendorExperts::mix);
      ALL.put("MatMulNBits", VendorBlocks::matMul);
      ALL.put("GatherBlockQuantized", VendorTables::gather);
      ALL.put("DynamicQuantizeLSTM", VendorRecurrent::lstm);
    }
  }

  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(LowerVendorOperators::concerns)) {
      return graph;
    }
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    List<Node> nodes = new ArrayList<>();
    boolean moved = false;
    for (Node node : graph.nodes()) {
      // made only where a type is asked for, which few nodes do
      Supplier<Graph> before = () -> graph.with(nodes, constants);
      Node inner = node.bodies().isEmpty() ? node : withBodies(node, before);
      List<Node> parts = ChannelsLast.apart(inner, constants, name -> type(before.get(), name));
      moved |= parts.size() > 1;
      for (Node part : parts) {
        Rule rule = rule(part);
        if (rule == null) {
          nodes.add(part);
        } else {
          Lowered lowered = new Lowered(part, constants, "", name -> type(before.get(), name));
          rule.apply(part, lowered, constants);
          nodes.addAll(lowered.nodes());
        }
      }
    }
    Graph lowered = graph.with(nodes, constants);
    return moved ? new SinkTransposes().apply(lowered) : lowered;
  }

  /** What the nodes so far, which are all ONNX's, tell of a value. */
  private static Optional<ValueType> type(Graph before, String value) {
    return Optional.ofNullable(ShapeInference.outline(before, Operators::find).get(value));
  }

  /** Whether a node is the vendor's, or may hold some in its graphs. */
  private static boolean concerns(Node node) {
    return isVendors(node) || !node.bodies().isEmpty();
  }

  private static boolean isVendors(Node node) {
    // ONNX Runtime has the one without a domain of its own in ONNX's
    return node.domain().equals(VENDOR)
        || ChannelsLast.concerns(node)
        || node.is("SimplifiedLayerNormalization");
  }

  private static Rule rule(Node node) {
    return isVendors(node) ? Rules.ALL.get(node.type()) : null;
  }

  private Node withBodies(Node node, Supplier<Graph> before) {
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    attributes.replaceAll(
        (name, value) ->
            value instanceof Attribute.Body(Graph body, int captures)
                    && body.nodes().stream().anyMatch(LowerVendorOperators::concerns)
                ? new Attribute.Body(lowered(body, captures, node, before), captures)
                : value);
    return new Node(
        node.name(), node.domain(), node.type(), node.inputs(), node.outputs(), attributes);
  }

  /** A body that is read knowing the types of what it takes from around it. */
  private Graph lowered(Graph body, int captures, Node node, Supplier<Graph> before) {
    List<ValueInfo> inputs = new ArrayList<>(body.inputs());
    for (int i = 1; i <= captures; i++) {
      int own = inputs.size() - i;
      String taken = node.inputs().get(node.inputs().size() - i);
      Optional<ValueType> type = type(before.get(), taken);
      if (type.isPresent()) {
        String name = inputs.get(own).name();
        inputs.set(own, new ValueInfo(name, type.get().dtype(), type.get().dims()));
      }
    }
    Graph typed =
        new Graph(
            body.name(), body.opset(), inputs, body.outputs(), body.nodes(), body.constants());
    Graph result = apply(typed);
    return body.with(result.nodes(), result.constants());
  }
}
