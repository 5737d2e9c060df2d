package dev.filigree.graph;

import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * What shape inference made of nodes and constants. Passes make graphs that share most of both, so
 * that what one asked for the next need not infer again. Not thread-safe.
 */
final class InferenceMemo {
  /**
   * What was made of a node.
   *
   * @param read types of its inputs, compared by identity
   * @param outline whether unknown extents were told as such
   * @param made null where it follows from data
   */
  private record Followed(ValueType[] read, boolean outline, List<ValueType> made) {}

  private final Map<Node, Followed> nodes = new IdentityHashMap<>();
  private final Map<Constant, ValueType> constants = new IdentityHashMap<>();
  private final Map<String, ValueType> inputs = new HashMap<>();

  /** The type of a graph's input, the same object as long as it says the same. */
  ValueType input(String name, ValueType declared) {
    return inputs.merge(name, declared, (before, now) -> now.equals(before) ? before : now);
  }

  ValueType type(Constant constant) {
    ValueType type = constants.get(constant);
    if (type == null) {
      type = constant.type();
      constants.put(constant, type);
    }
    return type;
  }

  /**
   * Types of a node's outputs.
   *
   * @param types of all values before it
   * @param outline whether unknown extents are to be told as such
   * @return null where they follow from data
   */
  List<ValueType> follow(
      Graph graph,
      Node node,
      ShapeRule.Lookup rules,
      Map<String, ValueType> types,
      boolean outline) {
    ValueType[] read = new ValueType[node.inputs().size()];
    for (int i = 0; i < read.length; i++) {
      read[i] = types.get(node.inputs().get(i));
    }
    Followed before = nodes.get(node);
    if (before != null && before.outline == outline && isSame(before.read, read)) {
      return before.made;
    }
    List<ValueType> made = ShapeInference.follow(graph, node, rules, types, outline);
    nodes.put(node, new Followed(read, outline, made));
    return made;
  }

  /** Whether a node reads what it read before; the types themselves are not looked at. */
  static boolean isSame(ValueType[] before, ValueType[] now) {
    for (int i = 0; i < now.length; i++) {
      if (before[i] != now[i]) {
        return false;
      }
    }
    return true;
  }
}
