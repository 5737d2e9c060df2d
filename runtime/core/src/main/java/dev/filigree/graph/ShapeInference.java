package dev.filigree.graph;

import dev.filigree.FiligreeException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;

/**
 * Follows types and extents through a graph, symbolic ones included: with the declared inputs it
 * tells what is known of a model in general, with the shapes of one call it tells everything a plan
 * needs. Values whose shape follows from data are left out.
 */
public final class ShapeInference {
  /** Bound while graphs that share nodes are inferred one after the other. */
  private static final ScopedValue<InferenceMemo> MEMO = ScopedValue.newInstance();

  private ShapeInference() {}

  /**
   * Runs what infers graphs that share most of their nodes and constants, of one operator set, one
   * after the other: what was followed once is not followed again while it reads the same.
   */
  public static <T> T remembering(Supplier<T> work) {
    return ScopedValue.where(MEMO, new InferenceMemo()).call(work::get);
  }

  /** Types of all values, with the extents the graph's author declared for its inputs. */
  public static Map<String, ValueType> infer(Graph graph, ShapeRule.Lookup rules) {
    return infer(graph, Map.of(), rules);
  }

  /**
   * Types of all values in general, as {@link #infer(Graph, ShapeRule.Lookup)}, but where extents
   * cannot be told yet as many unknown ones ({@link Dim#isOpen}) as there are axes. What fits any
   * extents can then be recognised behind shapes that are computed.
   */
  public static Map<String, ValueType> outline(Graph graph, ShapeRule.Lookup rules) {
    return inferFrom(graph, declared(graph, Map.of()), rules, true);
  }

  /**
   * Types of all values when some inputs have known shapes.
   *
   * @param shapes of inputs by name; the others keep their declared extents
   */
  public static Map<String, ValueType> infer(
      Graph graph, Map<String, Shape> shapes, ShapeRule.Lookup rules) {
    return inferFrom(graph, declared(graph, shapes), rules, false);
  }

  /** What the shapes of inputs, or else their declarations, tell. */
  static Map<String, ValueType> declared(Graph graph, Map<String, Shape> shapes) {
    Map<String, ValueType> known = new HashMap<>();
    for (ValueInfo input : graph.inputs()) {
      Shape shape = shapes.get(input.name());
      if (shape != null) {
        known.put(input.name(), ValueType.of(input.dtype(), shape));
      } else if (input.dims() != null) {
        known.put(input.name(), ValueType.of(input.dtype(), input.dims()));
      }
    }
    return known;
  }

  /**
   * Types of all values from those of the inputs.
   *
   * @param inputs what is known of the inputs, by name
   */
  public static Map<String, ValueType> inferFrom(
      Graph graph, Map<String, ValueType> inputs, ShapeRule.Lookup rules) {
    return inferFrom(graph, inputs, rules, false);
  }

  private static Map<String, ValueType> inferFrom(
      Graph graph, Map<String, ValueType> inputs, ShapeRule.Lookup rules, boolean outline) {
    InferenceMemo memo = MEMO.isBound() ? MEMO.get() : new InferenceMemo();
    Map<String, ValueType> types = new HashMap<>();
    for (Map.Entry<String, ValueType> input : inputs.entrySet()) {
      types.put(input.getKey(), memo.input(input.getKey(), input.getValue()));
    }
    for (Map.Entry<String, Constant> constant : graph.constants().entrySet()) {
      types.put(constant.getKey(), memo.type(constant.getValue()));
    }
    for (Node node : graph.nodes()) {
      put(node, memo.follow(graph, node, rules, types, outline), types);
    }
    return types;
  }

  /**
   * Types of one node's outputs from those of its inputs.
   *
   * @param types of all values that were followed before
   * @return null if they follow from data
   */
  static List<ValueType> follow(
      Graph graph,
      Node node,
      ShapeRule.Lookup rules,
      Map<String, ValueType> types,
      boolean outline) {
    ShapeRule rule = rules.find(node);
    List<ValueType> outputs;
    try {
      outputs = rule.infer(node, new Known(node, graph.opset(), types));
    } catch (DataDependentException unknown) {
      outputs = null;
    }
    if (outputs == null || mayTellContent(node, outputs)) {
      outputs = computed(node, graph.opset(), rule, types).orElse(outputs);
    }
    if (outputs == null && outline) {
      outputs = open(node, rule, new Known(node, graph.opset(), types));
    }
    return outputs;
  }

  /** Notes the types of a node's outputs. */
  static void put(Node node, List<ValueType> outputs, Map<String, ValueType> types) {
    for (int i = 0; outputs != null && i < node.outputs().size(); i++) {
      if (i < outputs.size() && !node.outputs().get(i).isEmpty()) {
        types.put(node.outputs().get(i), outputs.get(i));
      }
    }
  }

  /** The outputs with extents of which nothing is known, or null. */
  private static List<ValueType> open(Node node, ShapeRule rule, Known inputs) {
    try {
      OptionalInt rank = rule.rank(node, inputs);
      if (rank.isEmpty()) {
        return null;
      }
      List<ValueType> outputs = new ArrayList<>();
      for (String output : node.outputs()) {
        List<Dim> dims = new ArrayList<>();
        for (int axis = 0; axis < rank.getAsInt(); axis++) {
          dims.add(Dim.open(output + "[" + axis + "]"));
        }
        outputs.add(ValueType.of(inputs.required(0).dtype(), dims));
      }
      return outputs;
    } catch (DataDependentException unknown) {
      return null;
    }
  }

  private static boolean mayTellContent(Node node, List<ValueType> outputs) {
    boolean unknown = false;
    // loops, here and in ValueType: this is asked of every node each time a graph is planned
    for (ValueType type : outputs) {
      unknown |= !type.isKnown();
      if (!type.isSmall() && type.isConcrete()) {
        return false;
      }
    }
    return unknown && outputs.size() >= node.outputs().size();
  }

  /** Outputs of a node all whose inputs are known to the last element. */
  private static Optional<List<ValueType>> computed(
      Node node, int opset, ShapeRule rule, Map<String, ValueType> types) {
    Tensor[] operands = new Tensor[node.inputs().size()];
    for (int i = 0; i < operands.length; i++) {
      String name = node.inputs().get(i);
      ValueType type = name.isEmpty() ? null : types.get(name);
      if (!name.isEmpty() && (type == null || !type.isKnown())) {
        return Optional.empty();
      }
      operands[i] = type == null ? null : type.tensor();
    }
    if (operands.length == 0) {
      return Optional.empty();
    }
    try {
      return rule.follow(node, opset, operands)
          .map(made -> Arrays.stream(made).map(ValueType::of).toList());
    } catch (FiligreeException impossible) {
      // a branch that is not taken may hold it; a run that comes here says so
      return Optional.empty();
    }
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
