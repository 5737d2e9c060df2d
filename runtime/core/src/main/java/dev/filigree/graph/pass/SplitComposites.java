package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Operators;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes operators that others express by those, which have fast kernels or which a layer before
 * them takes in: a Sum of several tensors, as exporters of old write residual connections, by
 * additions in their order, and a Swish whose argument has a factor by a sigmoid and products.
 */
final class SplitComposites implements Pass {
  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(node -> isSum(node) || isScaledSwish(node))) {
      return graph;
    }
    Map<String, ValueType> types = ShapeInference.infer(graph, Operators::find);
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      Lowered to = new Lowered(node, constants, "composite");
      if (isSum(node)) {
        sum(node, to);
      } else if (isScaledSwish(node) && isFloat(types.get(node.output()))) {
        swish(node, to);
      }
      nodes.addAll(to.nodes().isEmpty() ? List.of(node) : to.nodes());
    }
    return graph.with(nodes, constants);
  }

  private static boolean isSum(Node node) {
    return node.is("Sum") && node.inputs().size() > 1;
  }

  private static boolean isScaledSwish(Node node) {
    return node.is("Swish") && node.floatAttribute("alpha", 1) != 1;
  }

  private static boolean isFloat(ValueType type) {
    return type != null && type.dtype() == DType.F32;
  }

  private static void sum(Node node, Lowered to) {
    String sum = to.in(0);
    int last = node.inputs().size() - 1;
    for (int i = 1; i < last; i++) {
      sum = to.add("Add", sum, to.in(i));
    }
    to.into("Add", Map.of(), sum, to.in(last));
  }

  private static void swish(Node node, Lowered to) {
    String alpha = to.constant(Tensor.of(new float[] {node.floatAttribute("alpha", 1)}));
    String gate = to.add("Sigmoid", to.add("Mul", to.in(0), alpha));
    to.into("Mul", Map.of(), to.in(0), gate);
  }
}
