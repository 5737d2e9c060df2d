package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Adds what is added to attention's scores together first: a bias by places and a mask, as MPNet
 * and T5 have them, become one mask, and one for all layers that share the two.
 *
 * <pre>
 *   scores -&gt; Add bias -&gt; Add mask -&gt; Softmax    becomes    scores -&gt; Add (bias + mask) -&gt; Softmax
 * </pre>
 */
final class JoinMasks implements Pass {
  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(node -> node.is("Softmax"))) {
      return graph;
    }
    GraphView view = new GraphView(graph);
    Map<String, List<Node>> readers = graph.consumers();
    Map<List<String>, String> sums = new HashMap<>();
    List<Node> nodes = new ArrayList<>();
    for (Node node : graph.nodes()) {
      Optional<Terms> terms =
          node.is("Add") && areScores(node, readers) ? terms(node, view) : Optional.empty();
      if (terms.isEmpty()) {
        nodes.add(node);
        continue;
      }
      List<String> both = List.of(terms.get().bias, terms.get().mask);
      String sum = sums.get(both);
      if (sum == null) {
        sum = view.freeName(node.output() + "/masks");
        sums.put(both, sum);
        nodes.add(new Node(sum, Node.ONNX, "Add", both, List.of(sum), Map.of()));
      }
      nodes.add(node.withInputs(List.of(terms.get().scores, sum)));
    }
    return sums.isEmpty()
        ? graph
        : new RemoveDeadCode().apply(graph.with(nodes, graph.constants()));
  }

  /** What is added to scores. */
  private record Terms(String scores, String bias, String mask) {}

  private static boolean areScores(Node sum, Map<String, List<Node>> readers) {
    List<Node> reading = readers.getOrDefault(sum.output(), List.of());
    return reading.size() == 1 && reading.getFirst().is("Softmax");
  }

  private static Optional<Terms> terms(Node outer, GraphView view) {
    return outer.inputs().stream()
        .flatMap(
            partial ->
                view
                    .producer(partial, "Add")
                    .filter(inner -> view.isReadOnce(partial))
                    .flatMap(
                        inner ->
                            GraphView.other(outer, partial)
                                .flatMap(mask -> terms(inner, mask, outer, view)))
                    .stream())
        .findFirst();
  }

  private static Optional<Terms> terms(Node inner, String mask, Node outer, GraphView view) {
    Optional<ValueType> full = view.type(outer.output());
    return inner.inputs().stream()
        .filter(scores -> isProduct(scores, view))
        // only then the sum of the others is none of more than the scores
        .filter(scores -> full.isPresent() && full.equals(view.type(scores)))
        .flatMap(
            scores ->
                GraphView.other(inner, scores)
                    .filter(bias -> !isProduct(bias, view))
                    .map(bias -> new Terms(scores, bias, mask))
                    .stream())
        .findFirst();
  }

  /** Whether a value is a product of matrices, or one that is scaled. */
  private static boolean isProduct(String value, GraphView view) {
    return view.producer(value)
        .filter(
            node ->
                node.is("MatMul")
                    || (node.is("Div") || node.is("Mul"))
                        && node.inputs().stream()
                            .anyMatch(input -> view.producer(input, "MatMul").isPresent()))
        .isPresent();
  }
}
