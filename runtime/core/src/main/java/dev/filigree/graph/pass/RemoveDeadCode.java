package dev.filigree.graph.pass;

import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Drops nodes and constants that no output depends on. */
final class RemoveDeadCode implements Pass {
  @Override
  public Graph apply(Graph graph) {
    Map<String, Node> producers = graph.producers();
    Set<String> needed = new HashSet<>();
    Deque<String> open = new ArrayDeque<>();
    for (ValueInfo output : graph.outputs()) {
      open.add(output.name());
    }
    while (!open.isEmpty()) {
      String value = open.remove();
      Node producer = producers.get(value);
      if (needed.add(value) && producer != null) {
        open.addAll(producer.inputs());
      }
    }
    Map<String, Constant> constants = new LinkedHashMap<>(graph.constants());
    constants.keySet().retainAll(needed);
    return graph.with(
        graph.nodes().stream()
            .filter(node -> node.outputs().stream().anyMatch(needed::contains))
            .toList(),
        constants);
  }
}
