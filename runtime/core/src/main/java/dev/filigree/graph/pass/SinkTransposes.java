package dev.filigree.graph.pass;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Moves transpositions behind what works on elements one by one, and joins those that meet, which
 * leaves none between convolutions whose channels were last:
 *
 * <pre>
 *   Conv -&gt; Transpose -+                            Conv -+
 *                      Add -&gt; Transpose -&gt; Conv  =        Add -&gt; Conv
 *   Conv -&gt; Transpose -+                            Conv -+
 * </pre>
 *
 * What nobody reads then is left for {@link RemoveDeadCode}.
 */
final class SinkTransposes implements Pass {
  /** Operators whose result has at each place what the operands have there. */
  private static final Set<String> BY_ELEMENT =
      Set.of(
          "Add",
          "Clip",
          "DequantizeLinear",
          "HardSigmoid",
          "LeakyRelu",
          "Mul",
          "QuantizeLinear",
          "Relu",
          "Sigmoid",
          "Sub",
          "Tanh");

  /** A value that is another one transposed. */
  private record Transposed(String value, List<Long> order) {}

  @Override
  public Graph apply(Graph graph) {
    Map<String, Transposed> known = new HashMap<>();
    Map<String, String> renamed = new HashMap<>();
    List<Node> nodes = new ArrayList<>();
    for (Node found : graph.nodes()) {
      Node node =
          found.withInputs(
              found.inputs().stream().map(name -> renamed.getOrDefault(name, name)).toList());
      List<Long> order = node.is("Transpose") ? node.intsAttribute("perm").orElse(null) : null;
      Transposed operand = order == null ? operand(node, known, graph.constants()) : null;
      if (order != null) {
        Transposed whole = joined(node.inputs().getFirst(), order, known);
        if (isStraight(whole.order) && !graph.isOutput(node.output())) {
          renamed.put(node.output(), whole.value);
          continue;
        }
        known.put(node.output(), whole);
        nodes.add(transpose(node.name(), whole, node.output()));
      } else if (operand != null) {
        String inner = node.output() + "\u00b7inner";
        List<String> inputs =
            node.inputs().stream()
                .map(name -> known.containsKey(name) ? known.get(name).value : name)
                .toList();
        nodes.add(
            new Node(
                node.name(),
                node.domain(),
                node.type(),
                inputs,
                List.of(inner),
                node.attributes()));
        Transposed result = new Transposed(inner, operand.order);
        known.put(node.output(), result);
        nodes.add(transpose(node.name() + "/transposed", result, node.output()));
      } else {
        nodes.add(node);
      }
    }
    return graph.with(nodes, graph.constants());
  }

  /** What a value transposed is, of the value it was made of by transpositions. */
  private static Transposed joined(String value, List<Long> order, Map<String, Transposed> known) {
    Transposed before = known.get(value);
    return before == null || before.order.size() != order.size()
        ? new Transposed(value, order)
        : new Transposed(
            before.value,
            order.stream().map(axis -> before.order.get(Math.toIntExact(axis))).toList());
  }

  private static boolean isStraight(List<Long> order) {
    for (int axis = 0; axis < order.size(); axis++) {
      if (order.get(axis) != axis) {
        return false;
      }
    }
    return true;
  }

  private static Node transpose(String name, Transposed of, String output) {
    Map<String, Attribute> perm = Map.of("perm", new Attribute.Ints(of.order));
    return new Node(name, Node.ONNX, "Transpose", List.of(of.value), List.of(output), perm);
  }

  /**
   * The transposed operand of a node by elements, all of whose others are transposed alike or
   * single numbers; null if the node is none.
   */
  private static Transposed operand(
      Node node, Map<String, Transposed> known, Map<String, Constant> constants) {
    if (!node.domain().equals(Node.ONNX)
        || !BY_ELEMENT.contains(node.type())
        || node.outputs().size() != 1) {
      return null;
    }
    Transposed first = null;
    for (String name : node.inputs()) {
      Transposed own = known.get(name);
      Constant constant = constants.get(name);
      boolean single =
          name.isEmpty()
              || constant != null
                  && constant.type().rank() <= 1
                  && constant.type().dims().stream().allMatch(dim -> dim.is(1));
      if (own == null && !single
          || own != null && first != null && !own.order.equals(first.order)) {
        return null;
      }
      first = first == null ? own : first;
    }
    return first;
  }
}
