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
  private final Former former;
  private final Map<String, Tensor> constants = new HashMap<>();
  private long folded;

  /** For types that may not all be concrete: what is not is no business of folding. */
  Folding(Graph graph, Map<String, ValueType> types) {
    this(graph, types, new Former());
  }

  private Folding(Graph graph, Map<String, ValueType> types, Former former) {
    this.graph = graph;
    this.types = types;
    this.former = former;
  }

  /** What was computed ahead for other shapes, by the first output. Not thread-safe. */
  static final class Former {
    private record Content(ValueType type, Tensor tensor) {}

    private record Result(Tensor[] operands, Tensor[] results) {}

    private final Map<String, Content> contents = new HashMap<>();
    private final Map<String, Result> results = new HashMap<>();

    Tensor content(String value, ValueType type) {
      Content known = contents.get(value);
      if (known == null || known.type != type) {
        known = new Content(type, type.tensor());
        contents.put(value, known);
      }
      return known.tensor;
    }

    /** What a node makes of operands, which are compared by identity. */
    Tensor[] results(Node node, int opset, Tensor[] operands) {
      Result known = results.get(node.output());
      if (known == null || !isSame(known.operands, operands)) {
        known = new Result(operands, Interpreter.run(node, opset, contiguous(operands)));
        results.put(node.output(), known);
      }
      return known.results;
    }

    private static Tensor[] contiguous(Tensor[] operands) {
      Tensor[] all = operands.clone();
      for (int i = 0; i < all.length; i++) {
        all[i] = all[i] == null ? null : all[i].contiguous();
      }
      return all;
    }

    private static boolean isSame(Tensor[] before, Tensor[] now) {
      for (int i = 0; i < now.length; i++) {
        if (before[i] != now[i]) {
          return false;
        }
      }
      return true;
    }
  }

  /**
   * What is known of a graph for the shapes of its inputs.
   *
   * @param shapes of all inputs
   * @return nothing if some shape follows from data, so that only the interpreter can run the graph
   */
  public static Optional<Folding> of(Graph graph, Map<String, Shape> shapes) {
    return of(graph, ShapeInference.infer(graph, shapes, Operators::find), new Former());
  }

  /**
   * What is known of a graph, with what was computed ahead for other shapes.
   *
   * @param types of all values that can be told
   * @return nothing if some shape follows from data, so that only the interpreter can run the graph
   */
  static Optional<Folding> of(Graph graph, Map<String, ValueType> types, Former former) {
    for (Node node : graph.nodes()) {
      for (String output : node.outputs()) {
        if (!output.isEmpty() && (types.get(output) == null || !types.get(output).isConcrete())) {
          return Optional.empty();
        }
      }
    }
    return Optional.of(new Folding(graph, types, former));
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
      constants.put(node.output(), former.content(node.output(), type));
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
        operands[i] = constant.get();
      }
    }
    long elements = type.shape().elements();
    if (elements > MAX_FOLDED || folded + elements > MAX_FOLDED_IN_ALL) {
      return false;
    }
    folded += elements;
    Tensor[] results = former.results(node, graph.opset(), operands);
    for (int i = 0; i < results.length; i++) {
      constants.put(node.outputs().get(i), results[i]);
    }
    return true;
  }
}
