package dev.filigree.kernel.control;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ShapeRule;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.Value;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The graph that a node runs, with what it takes from around it. */
final class Body {
  private final Node node;
  private final Graph graph;
  private final int own;
  private final Interpreter interpreter;
  private final Map<String, Value> captured = new HashMap<>();

  /**
   * @param attribute of the node that holds the graph
   * @param operands of the node, null where absent
   */
  Body(Node node, String attribute, Value[] operands) {
    this.node = node;
    this.graph = node.body(attribute);
    int captures = node.captures();
    this.own = graph.inputs().size() - captures;
    for (int i = 0; i < captures; i++) {
      captured.put(graph.inputs().get(own + i).name(), operands[operands.length - captures + i]);
    }
    this.interpreter = new Interpreter(graph);
  }

  Graph graph() {
    return graph;
  }

  /** Tensors as values. */
  static Value[] values(Tensor[] tensors) {
    Value[] values = new Value[tensors.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensors[i] == null ? null : Value.of(tensors[i]);
    }
    return values;
  }

  /** Values that must be tensors. */
  static List<Tensor> tensors(Node node, List<Value> values) {
    return values.stream().map(value -> value.tensorFor(node)).toList();
  }

  /** Runs the graph on the tensors of its own inputs. */
  List<Tensor> runTensors(List<Tensor> inputs) {
    return tensors(node, run(inputs.stream().map(Value::of).toList()));
  }

  /** Runs the graph on the values of its own inputs. */
  List<Value> run(List<Value> inputs) {
    if (inputs.size() != own) {
      throw node.problem(
          "passes " + inputs.size() + " values to a graph with " + own + " inputs",
          "export the graph again");
    }
    Map<String, Value> values = new HashMap<>(captured);
    for (int i = 0; i < own; i++) {
      Value value = inputs.get(i);
      values.put(
          graph.inputs().get(i).name(),
          value.tensor() == null ? value : Value.of(value.tensor().contiguous()));
    }
    return List.copyOf(interpreter.runValues(values).values());
  }

  /**
   * Types of a body's outputs; null where they cannot be told.
   *
   * @param own types of its own inputs, null where not known
   * @param inputs of the node
   */
  static List<ValueType> infer(
      Node node, String attribute, List<ValueType> own, ShapeRule.Inputs inputs) {
    Graph graph = node.body(attribute);
    int captures = node.captures();
    int count = graph.inputs().size() - captures;
    if (count != own.size()) {
      throw node.problem(
          "passes " + own.size() + " values to a graph with " + count + " inputs",
          "export the graph again");
    }
    Map<String, ValueType> types = new HashMap<>();
    for (int i = 0; i < graph.inputs().size(); i++) {
      ValueType type =
          i < count ? own.get(i) : known(inputs, node.inputs().size() - captures + i - count);
      if (type != null) {
        types.put(graph.inputs().get(i).name(), type);
      }
    }
    Map<String, ValueType> all = ShapeInference.inferFrom(graph, types, Operators::find);
    return graph.outputs().stream().map(output -> all.get(output.name())).toList();
  }

  private static ValueType known(ShapeRule.Inputs inputs, int i) {
    try {
      return inputs.type(i).orElse(null);
    } catch (DataDependentException unknown) {
      return null;
    }
  }

  /** How many inputs a node has of its own, without captures. */
  static int operands(Node node) {
    return node.inputs().size() - node.captures();
  }

  /** Types of some of a node's own inputs, without what their elements are. */
  static List<ValueType> types(Node node, ShapeRule.Inputs inputs, int from) {
    List<ValueType> types = new ArrayList<>();
    for (int i = from; i < operands(node); i++) {
      ValueType type = inputs.required(i);
      types.add(ValueType.of(type.dtype(), type.dims()));
    }
    return types;
  }
}
