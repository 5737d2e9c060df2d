package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a plan knows before any run: the types of all values, and what follows from shapes and
 * constants alone, computed once. Not thread-safe.
 */
public final class Folding {
  /** Elements up to which a node of constants is computed ahead. */
  private static final long MAX_FOLDED = 1 << 20;

  /**
   * Elements of all results computed ahead: a graph of many small ones must not fill the memory.
   */
  private static final long MAX_FOLDED_IN_ALL = 16L * MAX_FOLDED;

  private final Graph graph;
  private final Map<String, ValueType> types;
  private final Map<String, Tensor> constants = new HashMap<>();
  private long folded;

  /** For types that may not all be concrete: what is not is no business of folding. */
  Folding(Graph graph, Map<String, ValueType> types) {
    this.graph = graph;
    this.types = types;
  }

  /**
   * What is known of a graph for the shapes of its inputs.
   *
   * @param shapes of all inputs
   * @return nothing if some shape follows from data, so that only the interpreter can run the graph
   */
  public static Optional<Folding> of(Graph graph, Map<String, Shape> shapes) {
    Map<String, ValueType> types = ShapeInference.infer(graph, shapes, Operators::find);
    for (Node node : graph.nodes()) {
      for (String output : node.outputs()) {
        if (!output.isEmpty() && (types.get(output) == null || !types.get(output).isConcrete())) {
          return Optional.empty();
        }
      }
    }
    return Optional.of(new Folding(graph, types));
  }

  /** Types of all values. */
  public Map<String, ValueType> types() {
    return types;
  }

  /** A constant of the graph, or one computed ahead, in plain form. */
  public Optional<Tensor> constant(String value) {
    Tensor known = constants.get(value);
    if (known != null) {
      return Optional.of(known);
    }
    return graph.constants().get(value) instanceof Constant.Plain(Tensor tensor)
        ? Optional.of(tensor)
        : Optional.empty();
  }

  /** Computes a node now if nothing of it depends on data. */
  public boolean fold(Node node) {
    // a body may run for as long as it likes
    if (node.output().isEmpty() || !node.bodies().isEmpty() || Operators.find(node).isRandom()) {
      return false;
    }
    ValueType type = types.get(node.output());
    if (node.outputs().size() == 1 && type.hasKnownContent()) {
      constants.put(node.output(), type.tensor());
      return true;
    }
    Tensor[] operands = new Tensor[node.inputs().size()];
    for (int i = 0; i < operands.length; i++) {
      String input = node.inputs().get(i);
      if (!input.isEmpty()) {
        Optional<Tensor> constant = constant(input);
        if (constant.isEmpty()) {
          return false;
        }
        operands[i] = constant.get().contiguous();
      }
    }
    long elements = type.shape().elements();
    if (elements > MAX_FOLDED || folded + elements > MAX_FOLDED_IN_ALL) {
      return false;
    }
    folded += elements;
    Tensor[] results = Interpreter.run(node, graph.opset(), operands);
    for (int i = 0; i < results.length; i++) {
      constants.put(node.outputs().get(i), results[i]);
    }
    return true;
  }
}
