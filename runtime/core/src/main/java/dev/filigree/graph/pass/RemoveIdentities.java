package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Lets the readers of an Identity, and of a Dropout whose mask nobody reads, read what it reads.
 */
final class RemoveIdentities implements Pass {
  @Override
  public Graph apply(Graph graph) {
    Map<String, List<Node>> consumers = graph.consumers();
    Map<String, String> renamed = new HashMap<>();
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      List<String> inputs =
          node.inputs().stream().map(input -> renamed.getOrDefault(input, input)).toList();
      if (isIdentity(node, consumers) && !graph.isOutput(node.output())) {
        renamed.put(node.output(), inputs.getFirst());
      } else {
        nodes.add(node.withInputs(inputs));
      }
    }
    return graph.with(nodes, graph.constants());
  }

  private static boolean isIdentity(Node node, Map<String, List<Node>> consumers) {
    return node.is("Identity")
        // at inference a dropout passes its input on, unless the third input asks for training
        || node.is("Dropout")
            && node.inputs().size() < 3
            && (node.outputs().size() == 1 || !consumers.containsKey(node.outputs().get(1)));
  }
}
