package dev.filigree.graph;

import dev.filigree.Shape;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Follows types and extents through a graph, symbolic ones included: with the declared inputs it
 * tells what is known of a model in general, with the shapes of one call it tells everything a plan
 * needs. Values whose shape follows from data are left out.
 */
public final class ShapeInference {
  private ShapeInference() {}

  /** Types of all values, with the extents the graph's author declared for its inputs. */
  public static Map<String, ValueType> infer(Graph graph, ShapeRule.Lookup rules) {
    return infer(graph, Map.of(), rules);
  }

  /**
   * Types of all values when some inputs have known shapes.
   *
   * @param shapes of inputs by name; the others keep their declared extents
   */
  public static Map<String, ValueType> infer(
      Graph graph, Map<String, Shape> shapes, ShapeRule.Lookup rules) {
    Map<String, ValueType> known = new HashMap<>();
    for (ValueInfo input : graph.inputs()) {
      Shape shape = shapes.get(input.name());
      if (shape != null) {
        known.put(input.name(), ValueType.of(input.dtype(), shape));
      } else if (input.dims() != null) {
        known.put(input.name(), ValueType.of(input.dtype(), input.dims()));
      }
    }
    return inferFrom(graph, known, rules);
  }

  /**
   * Types of all values from those of the inputs.
   *
   * @param inputs what is known of the inputs, by name
   */
  public static Map<String, ValueType> inferFrom(
      Graph graph, Map<String, ValueType> inputs, ShapeRule.Lookup rules) {
    Map<String, ValueType> types = new HashMap<>(inputs);
    graph.constants().forEach((name, constant) -> types.put(name, constant.type()));
    for (Node node : graph.nodes()) {
      ShapeRule rule = rules.find(node);
      List<ValueType> outputs;
      try {
        outputs = rule.infer(node, new Known(node, graph.opset(), types));
      } catch (DataDependentException unknown) {
        continue;
      }
      for (int i = 0; i < node.outputs().size(); i++) {
        if (i < outputs.size() && !node.outputs().get(i).isEmpty()) {
          types.put(node.outputs().get(i), outputs.get(i));
        }
      }
    }
    return types;
  }

  /** What is known of the inputs of one node. */
  public record Known(Node node, int opset, Map<String, ValueType> types)
      implements ShapeRule.Inputs {
    @Override
    public Optional<ValueType> type(int i) {
      return node.input(i).map(name -> required(i));
    }

    @Override
    public ValueType required(int i) {
      String name =
          node.input(i)
              .orElseThrow(() -> node.problem("lacks its input " + i, "export the graph again"));
      ValueType type = types.get(name);
      if (type == null) {
        throw new DataDependentException(node, "input '" + name + "'");
      }
      return type;
    }
  }
}
