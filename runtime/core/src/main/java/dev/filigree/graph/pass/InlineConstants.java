package dev.filigree.graph.pass;

import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.shape.ConstantNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Turns Constant nodes into constants of the graph. */
final class InlineConstants implements Pass {
  @Override
  public Graph apply(Graph graph) {
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      if (node.is("Constant")) {
        constants.put(node.output(), new Constant.Plain(ConstantNode.value(node)));
      } else {
        nodes.add(node);
      }
    }
    return graph.with(nodes, constants);
  }
}
