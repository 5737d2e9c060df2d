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
      if (!isIdentity(node, graph, consumers)) {
        nodes.add(node.withInputs(inputs));
      } else if (graph.isOutput(node.output())) {
        nodes.add(identity(node, inputs.getFirst()));
      } else {
        renamed.put(node.output(), inputs.getFirst());
      }
    }
    return graph.with(nodes, graph.constants());
  }

  private static Node identity(Node node, String input) {
    return new Node(
        node.name(), Node.ONNX, "Identity", List.of(input), List.of(node.output()), Map.of());
  }

  private static boolean isIdentity(Node node, Graph graph, Map<String, List<Node>> consumers) {
    return node.is("Identity")
        // at inference a dropout passes its input on, unless the third input asks for training
        || node.is("Dropout")
            && node.input(2).isEmpty()
            && node.outputs().stream()
                .skip(1)
                .noneMatch(mask -> consumers.containsKey(mask) || graph.isOutput(mask));
  }
}
