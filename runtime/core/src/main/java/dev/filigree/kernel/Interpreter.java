package dev.filigree.kernel;

import dev.filigree.GraphException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Constant;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Computes a graph node by node with the reference kernels, each output in memory of its own. It
 * follows shapes that depend on data, folds constants, and is the oracle of every plan. Safe to use
 * from many threads.
 */
public final class Interpreter {
  private final Graph graph;
  private final Map<String, Tensor> constants = new ConcurrentHashMap<>();

  /**
   * An interpreter of a graph; it keeps compressed constants in unpacked form once they were used.
   */
  public Interpreter(Graph graph) {
    this.graph = graph;
  }

  /**
   * Runs the graph.
   *
   * @param inputs by name, of the types and shapes the graph can take
   * @return the graph's outputs by name, in its order
   * @throws GraphException if shapes do not fit
   */
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    Map<String, Value> values = new HashMap<>();
    inputs.forEach((name, tensor) -> values.put(name, Value.of(tensor)));
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    runValues(values).forEach((name, value) -> outputs.put(name, value.tensorOf(name)));
    return outputs;
  }

  /**
   * Runs a graph that may take and make sequences, such as the body of a Loop.
   *
   * @param inputs by name
   * @return the graph's outputs by name, in its order
   */
  public Map<String, Value> runValues(Map<String, Value> inputs) {
    Map<String, Value> values = new HashMap<>(inputs);
    for (Node node : graph.nodes()) {
      Value[] operands = new Value[node.inputs().size()];
      for (int i = 0; i < operands.length; i++) {
        String name = node.inputs().get(i);
        operands[i] = name.isEmpty() ? null : value(values, name);
      }
      Value[] results = evaluate(node, graph.opset(), operands);
      for (int i = 0; i < results.length; i++) {
        values.put(node.outputs().get(i), results[i]);
      }
    }
    Map<String, Value> outputs = new LinkedHashMap<>();
    for (ValueInfo output : graph.outputs()) {
      outputs.put(output.name(), value(values, output.name()));
    }
    return outputs;
  }

  private static Value[] evaluate(Node node, int opset, Value[] operands) {
    boolean passesOn =
        node.is("Identity") && operands.length == 1 && operands[0].sequence() != null;
    if (passesOn) {
      return operands;
    }
    if (Operators.find(node) instanceof ValueOperator sequences) {
      return sequences.evaluate(node, opset, operands);
    }
    Tensor[] tensors = new Tensor[operands.length];
    for (int i = 0; i < tensors.length; i++) {
      tensors[i] = operands[i] == null ? null : operands[i].tensorFor(node);
    }
    Tensor[] results = run(node, opset, tensors);
    Value[] values = new Value[results.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = Value.of(results[i]);
    }
    return values;
  }

  private Value value(Map<String, Value> values, String name) {
    Value value = values.get(name);
    if (value != null) {
      return value;
    }
    Constant constant = graph.constants().get(name);
    if (constant == null) {
      throw new GraphException("value '" + name + "' was not computed", "pass it as an input");
    }
    return Value.of(constants.computeIfAbsent(name, unused -> constant.toTensor().contiguous()));
  }

  /**
   * Computes one node.
   *
   * @param operands contiguous, null where absent
   * @return a new tensor for each output the node names
   */
  public static Tensor[] run(Node node, int opset, Tensor[] operands) {
    Map<String, ValueType> types = new HashMap<>();
    for (int i = 0; i < operands.length; i++) {
      if (operands[i] != null) {
        types.put(node.inputs().get(i), ValueType.of(operands[i]));
      }
    }
    Operator operator = Operators.find(node);
    if (operator instanceof ValueOperator && !(operator instanceof DataDependentOperator)) {
      throw node.unsupported("works on sequences here", "use tensors in its place");
    }
    if (operator instanceof DataDependentOperator dependent) {
      return dependent.compute(node, opset, operands);
    }
    List<ValueType> outputs;
    try {
      outputs = operator.infer(node, new ShapeInference.Known(node, opset, types));
    } catch (DataDependentException unknown) {
      throw new UnsupportedException(
          unknown.getMessage() + " in a way that is not supported",
          "make the parameter a constant of the graph");
    }
    List<Tensor> results = new ArrayList<>();
    for (int i = 0; i < node.outputs().size(); i++) {
      if (i >= outputs.size()) {
        throw node.unsupported(
            "names " + node.outputs().size() + " outputs", "use the first " + outputs.size());
      }
      results.add(result(node, outputs.get(i)));
    }
    Tensor[] made = results.toArray(Tensor[]::new);
    operator.bind(new Binding(node, opset, operands, made)).run();
    return made;
  }

  /**
   * A result's memory; a shape that a file made up must not bring the machine down.
   *
   * @throws GraphException if there is no such shape or it exceeds the memory of this JVM
   */
  public static Tensor result(Node node, ValueType type) {
    Shape shape;
    long bytes;
    try {
      shape = type.shape();
      bytes = Tensor.byteSize(type.dtype(), shape);
    } catch (InputException impossible) {
      throw node.problem("makes " + type + ", which is no shape", impossible.remedy());
    }
    if (bytes > Runtime.getRuntime().maxMemory()) {
      throw node.problem(
          "makes " + type + " of " + bytes + " bytes, more than the memory of this JVM",
          "pass smaller inputs or raise -Xmx");
    }
    return Tensor.zeros(type.dtype(), shape);
  }
}
