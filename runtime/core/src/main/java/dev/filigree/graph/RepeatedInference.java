package dev.filigree.graph;

import dev.filigree.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Shape inference of one graph again and again, for shapes that differ little: a decoder's cache
 * grows by a token each call. Only nodes whose inputs are not what they were are followed anew;
 * what did not change is the same object as before, so that callers can tell by identity. Not
 * thread-safe.
 */
public final class RepeatedInference {
  private final Graph graph;
  private final ShapeRule.Lookup rules;
  private final Map<String, ValueType> constants = new HashMap<>();
  private final List<Node> nodes;

  /** Types of the inputs of each node when it was followed last, null before. */
  private final ValueType[][] read;

  /** What was made of them; null where it follows from data. */
  private final List<List<ValueType>> made;

  private Map<String, ValueType> inputs = Map.of();

  /** Nothing is known yet. */
  public RepeatedInference(Graph graph, ShapeRule.Lookup rules) {
    this.graph = graph;
    this.rules = rules;
    this.nodes = List.copyOf(graph.nodes());
    this.read = new ValueType[nodes.size()][];
    this.made = new ArrayList<>(Collections.nCopies(nodes.size(), null));
    graph.constants().forEach((name, constant) -> constants.put(name, constant.type()));
  }

  /**
   * Types of all values as {@link ShapeInference#infer(Graph, Map, ShapeRule.Lookup)} tells them,
   * in a map of their own.
   *
   * @param shapes of inputs by name; the others keep their declared extents
   */
  public Map<String, ValueType> infer(Map<String, Shape> shapes) {
    Map<String, ValueType> declared = ShapeInference.declared(graph, shapes);
    declared.replaceAll((name, type) -> same(inputs.get(name), type));
    inputs = Map.copyOf(declared);
    Map<String, ValueType> types = HashMap.newHashMap(2 * nodes.size() + constants.size());
    types.putAll(constants);
    types.putAll(declared);
    for (int n = 0; n < read.length; n++) {
      Node node = nodes.get(n);
      ValueType[] now = new ValueType[node.inputs().size()];
      for (int i = 0; i < now.length; i++) {
        now[i] = types.get(node.inputs().get(i));
      }
      if (read[n] == null || !InferenceMemo.isSame(read[n], now)) {
        // forgotten first: what throws must throw again
        read[n] = null;
        List<ValueType> outputs = ShapeInference.follow(graph, node, rules, types, false);
        made.set(n, outputs == null ? null : same(made.get(n), outputs));
        read[n] = now;
      }
      ShapeInference.put(node, made.get(n), types);
    }
    return types;
  }

  private static ValueType same(ValueType before, ValueType now) {
    return now.equals(before) ? before : now;
  }

  private static List<ValueType> same(List<ValueType> before, List<ValueType> now) {
    ValueType[] kept = now.toArray(ValueType[]::new);
    for (int i = 0; before != null && i < Math.min(kept.length, before.size()); i++) {
      kept[i] = same(before.get(i), kept[i]);
    }
    return Arrays.asList(kept);
  }
}
