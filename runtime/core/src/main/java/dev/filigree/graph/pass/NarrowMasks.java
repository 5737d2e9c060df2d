package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.LongStream;

/**
 * Leaves masks as small as what they tell. An exporter writes the mask of an encoder for each
 * query, though all queries see the same keys:
 *
 * <pre>
 *   attention_mask [batch, 1, 1, keys] -+
 *                                       And -&gt; Expand [batch, 1, queries, keys] -&gt; Where(., 0, -inf) -&gt; Add to scores
 *   places of queries &gt;= 0, always true -+
 * </pre>
 *
 * What is always true and what only repeats is left out of the condition, if all that reads the
 * Where adds it to something of the full extents.
 */
final class NarrowMasks implements Pass {
  /** Nodes that give what they read in another shape. */
  private static final Set<String> SHAPES =
      Set.of("Unsqueeze", "Squeeze", "Reshape", "Expand", "Identity");

  @Override
  public Graph apply(Graph graph) {
    if (graph.nodes().stream().noneMatch(node -> node.is("Where"))) {
      return graph;
    }
    GraphView view = new GraphView(graph);
    Map<String, List<Node>> readers = graph.consumers();
    List<Node> nodes = new ArrayList<>();
    boolean found = false;
    for (Node node : graph.nodes()) {
      String narrow = node.is("Where") ? narrowed(node.inputs().getFirst(), view) : null;
      boolean changes = narrow != null && !narrow.equals(node.inputs().getFirst());
      if (changes
          && isOnlyAdded(node, graph, readers.getOrDefault(node.output(), List.of()), view)) {
        found = true;
        nodes.add(node.withInputs(List.of(narrow, node.inputs().get(1), node.inputs().get(2))));
      } else {
        nodes.add(node);
      }
    }
    return found ? new RemoveDeadCode().apply(graph.with(nodes, graph.constants())) : graph;
  }

  /** Whether sums alone read a value, whose other term has the extents of the sum already. */
  private static boolean isOnlyAdded(Node where, Graph graph, List<Node> readers, GraphView view) {
    boolean choosesNumbers =
        view.scalar(where.inputs().get(1)).isPresent()
            && view.scalar(where.inputs().get(2)).isPresent();
    return choosesNumbers
        && !readers.isEmpty()
        && !graph.isOutput(where.output())
        && readers.stream().allMatch(reader -> reader.is("Add") && isFull(reader, where, view));
  }

  private static boolean isFull(Node sum, Node where, GraphView view) {
    Optional<ValueType> full = view.type(sum.output());
    return GraphView.other(sum, where.output())
        .flatMap(view::type)
        .filter(other -> full.isPresent() && other.dims().equals(full.get().dims()))
        .isPresent();
  }

  /** A condition that broadcasts to the same. */
  private static String narrowed(String condition, GraphView view) {
    Optional<Node> made = view.producer(condition);
    if (made.filter(node -> node.is("Expand")).isPresent()) {
      return narrowed(made.get().inputs().getFirst(), view);
    }
    if (made.filter(node -> node.is("And")).isPresent()) {
      String left = made.get().inputs().get(0);
      String right = made.get().inputs().get(1);
      if (isTrue(left, view)) {
        return narrowed(right, view);
      }
      if (isTrue(right, view)) {
        return narrowed(left, view);
      }
    }
    return condition;
  }

  /** Whether every element of a condition is true, whatever the inputs are. */
  private static boolean isTrue(String condition, GraphView view) {
    Optional<Tensor> constant = view.tensor(condition);
    if (constant.isPresent()) {
      return LongStream.range(0, constant.get().elements())
          .allMatch(i -> constant.get().getLong(i) != 0);
    }
    return view.producer(condition)
        .filter(
            node ->
                switch (node.type()) {
                  case "And" ->
                      isTrue(node.inputs().get(0), view) && isTrue(node.inputs().get(1), view);
                  case "GreaterOrEqual" ->
                      isWhole(node.inputs().get(1), 0, view) && isCount(node.inputs().get(0), view);
                  default -> SHAPES.contains(node.type()) && isTrue(node.inputs().getFirst(), view);
                })
        .isPresent();
  }

  /** Whether a value holds 0, 1, 2 and so on, in some shape. */
  private static boolean isCount(String value, GraphView view) {
    return view.producer(value)
        .filter(
            node ->
                node.is("Range")
                    ? isWhole(node.inputs().get(0), 0, view)
                        && isWhole(node.inputs().get(2), 1, view)
                    : SHAPES.contains(node.type()) && isCount(node.inputs().getFirst(), view))
        .isPresent();
  }

  private static boolean isWhole(String value, long number, GraphView view) {
    return view.tensor(value)
        .filter(tensor -> tensor.elements() == 1 && tensor.dtype().isInteger())
        .filter(tensor -> tensor.getLong(0) == number)
        .isPresent();
  }
}
