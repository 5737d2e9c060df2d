package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Removes casts of values to the type they have, which hide patterns from the fusions. */
final class RemoveCasts implements Pass {
  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(node -> node.is("Cast"))) {
      return graph;
    }
    return new RemoveIdentities().apply(GraphView.rewrite(graph, RemoveCasts::identity));
  }

  private static Optional<Node> identity(Node node, GraphView view) {
    if (!node.is("Cast")) {
      return Optional.empty();
    }
    Optional<ValueType> from = view.type(node.inputs().getFirst());
    Optional<ValueType> to = view.type(node.output());
    boolean same = from.isPresent() && to.isPresent() && from.get().dtype() == to.get().dtype();
    return same
        ? Optional.of(
            new Node(
                node.name(),
                Node.ONNX,
                "Identity",
                List.of(node.inputs().getFirst()),
                node.outputs(),
                Map.of()))
        : Optional.empty();
  }
}
