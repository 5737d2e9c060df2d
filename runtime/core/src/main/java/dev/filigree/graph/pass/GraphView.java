package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ShapeRule;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.shape.Slice;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A graph while a fusion rewrites it: who makes and reads each value, what is constant, what types
 * are known.
 */
final class GraphView {
  private static final int AXES_BECAME_INPUT = 13;

  private final Graph graph;
  private final Map<String, Constant> constants;
  private final List<Node> inserted = new ArrayList<>();
  // null until somebody asks: most fusions find nothing to look at in most graphs
  private Map<String, Node> producers;
  private Map<String, List<Node>> consumers;
  private Map<String, ValueType> types;

  GraphView(Graph graph) {
    this.graph = graph;
    this.constants = new LinkedHashMap<>(graph.constants());
  }

  private Map<String, Node> producers() {
    if (producers == null) {
      producers = graph.producers();
    }
    return producers;
  }

  private Map<String, List<Node>> consumers() {
    if (consumers == null) {
      consumers = graph.consumers();
    }
    return consumers;
  }

  private Map<String, ValueType> types() {
    if (types == null) {
      types = ShapeInference.outline(graph, Operators::find);
    }
    return types;
  }

  /**
   * Replaces each node the fusion recognises as the last of a pattern, unless the replacement would
   * have another type or shape. The other nodes of the pattern go, unless something else reads
   * them.
   */
  static Graph rewrite(Graph graph, Fusion fusion) {
    GraphView view = new GraphView(graph);
    List<Node> nodes = new ArrayList<>();
    boolean found = false;
    for (Node node : graph.nodes()) {
      view.inserted.clear();
      Node result = fusion.fuse(node, view).filter(view::keepsType).orElse(node);
      if (result != node) {
        found = true;
        nodes.addAll(view.inserted);
        result.outputs().forEach(output -> view.producers().put(output, result));
      }
      nodes.add(result);
    }
    if (!found) {
      return graph;
    }
    return new RemoveDeadCode().apply(graph.with(nodes, view.constants));
  }

  /** Recognises a pattern by its last node. */
  @FunctionalInterface
  interface Fusion {
    /** The node to put in the place of the pattern's last one, with the same output. */
    Optional<Node> fuse(Node last, GraphView view);
  }

  /** Whether a replacement makes what the replaced node made, as far as that is known. */
  private boolean keepsType(Node replacement) {
    ValueType expected = types().get(replacement.output());
    if (expected == null || expected.dims().stream().anyMatch(Dim::isOpen)) {
      return true;
    }
    ValueType actual =
        Operators.find(replacement).infer(replacement, known(replacement)).getFirst();
    return actual.dtype() == expected.dtype() && actual.dims().equals(expected.dims());
  }

  int opset() {
    return graph.opset();
  }

  /** The node that makes a value, as rewritten so far. */
  Optional<Node> producer(String value) {
    return Optional.ofNullable(producers().get(value));
  }

  /** The node that makes a value, if it is ONNX's operator of that type. */
  Optional<Node> producer(String value, String type) {
    return producer(value).filter(node -> node.is(type));
  }

  /** Whether one node alone reads a value, once, and it is no output of the graph. */
  boolean isReadOnce(String value) {
    return isReadBy(value, 1);
  }

  /** Whether a value is read so many times, and is no output of the graph. */
  boolean isReadBy(String value, int times) {
    return consumers().getOrDefault(value, List.of()).size() == times && !graph.isOutput(value);
  }

  Optional<ValueType> type(String value) {
    return Optional.ofNullable(types().get(value));
  }

  Optional<Constant> constant(String value) {
    return Optional.ofNullable(constants.get(value));
  }

  /** A constant held as a plain tensor. */
  Optional<Tensor> tensor(String value) {
    return constants.get(value) instanceof Constant.Plain(Tensor tensor)
        ? Optional.of(tensor)
        : Optional.empty();
  }

  /** The one number of a floating-point constant with a single element. */
  Optional<Double> scalar(String value) {
    return tensor(value).filter(GraphView::isScalar).map(tensor -> tensor.getDouble(0));
  }

  private static boolean isScalar(Tensor tensor) {
    return tensor.elements() == 1 && tensor.dtype().isFloating();
  }

  /** Whether a value is a constant whose single number is another one rounded. */
  boolean isScalar(String value, double number) {
    return tensor(value)
        .filter(GraphView::isScalar)
        .filter(
            tensor ->
                Math.abs(tensor.getDouble(0) - number)
                    <= tolerance(tensor.dtype()) * Math.abs(number))
        .isPresent();
  }

  /** Relative error of a number that was rounded to a type; exporters may print six digits. */
  private static double tolerance(DType dtype) {
    return switch (dtype) {
      case F16 -> 0x1p-10;
      case BF16 -> 0x1p-7;
      default -> 1e-5;
    };
  }

  /** A name that no value has, made from the wanted one. */
  String freeName(String wanted) {
    String name = wanted;
    for (int i = 2; isTaken(name); i++) {
      name = wanted + "_" + i;
    }
    return name;
  }

  /** Adds a constant under a name that is free, made from the wanted one. */
  String addConstant(String wanted, Constant constant) {
    String name = freeName(wanted);
    constants.put(name, constant);
    types().put(name, constant.type());
    return name;
  }

  /**
   * The axes that a node names, in an attribute up to operator set 12, in an input from then on.
   */
  Optional<List<Long>> axes(Node node) {
    return tellsFromTypes(
        () -> Axes.of(node, known(node), "axes", opset() >= AXES_BECAME_INPUT ? 1 : -1));
  }

  /** What a Slice takes of the axes that it names; nothing if only data tells. */
  List<Slice.Range> ranges(Node slice) {
    return tellsFromTypes(() -> Optional.of(Slice.ranges(slice, known(slice)))).orElse(List.of());
  }

  private static <T> Optional<T> tellsFromTypes(Supplier<Optional<T>> question) {
    try {
      return question.get();
    } catch (DataDependentException e) {
      return Optional.empty();
    }
  }

  /** What is known of a node's inputs, as operators ask for it. */
  ShapeRule.Inputs known(Node node) {
    return new ShapeInference.Known(node, graph.opset(), types());
  }

  /**
   * Puts a node before the one that a fusion returns; dropped if that is none or would have another
   * type.
   *
   * @return its output
   */
  String insert(Node node) {
    inserted.add(node);
    producers().put(node.output(), node);
    types().put(node.output(), Operators.find(node).infer(node, known(node)).getFirst());
    return node.output();
  }

  /** Puts a node before the one that a fusion returns that sees a value under another shape. */
  String reshape(String value, String name, long... shape) {
    String target = longs(name + "/shape", shape);
    return insert(
        new Node(
            name, Node.ONNX, "Reshape", List.of(value, target), List.of(freeName(name)), Map.of()));
  }

  /** Adds a constant list of whole numbers under a name made from the wanted one. */
  String longs(String wanted, long... numbers) {
    return addConstant(wanted, new Constant.Plain(Tensor.of(numbers, numbers.length)));
  }

  private boolean isTaken(String name) {
    return constants.containsKey(name)
        || producers().containsKey(name)
        || graph.inputs().stream().anyMatch(input -> input.name().equals(name));
  }

  /**
   * Of a node with two inputs: the one that is not the given value; nothing if the value is not
   * read just once.
   */
  static Optional<String> other(Node node, String value) {
    if (node.inputs().size() != 2) {
      return Optional.empty();
    }
    String left = node.inputs().get(0);
    String right = node.inputs().get(1);
    if (left.equals(value) == right.equals(value)) {
      return Optional.empty();
    }
    return Optional.of(left.equals(value) ? right : left);
  }
}
