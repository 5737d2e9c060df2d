package dev.filigree.graph.pass;

import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a Sum of several tensors as additions of two, in their order. Exporters of old write
 * residual connections so, and an addition is what a layer before it takes in.
 */
final class SplitSum implements Pass {
  @Override
  public Graph apply(Graph graph) {
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (!node.is("Sum") || node.inputs().size() < 2) {
        nodes.add(node);
        continue;
      }
      Lowered additions = new Lowered(node, constants);
      String sum = additions.in(0);
      int last = node.inputs().size() - 1;
      for (int i = 1; i < last; i++) {
        sum = additions.add("Add", sum, additions.in(i));
      }
      additions.add("Add", Map.of(), List.of(sum, additions.in(last)), node.output());
      nodes.addAll(additions.nodes());
    }
    return graph.with(nodes, constants);
  }
}
