package dev.filigree.graph;

import dev.filigree.DType;
import dev.filigree.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Builds small graphs for tests. Names of values are given; a node is named after its first output.
 */
public final class GraphBuilder {
  private final int opset;
  private final List<ValueInfo> inputs = new ArrayList<>();
  private final List<ValueInfo> outputs = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, Constant> constants = new LinkedHashMap<>();

  /** An empty graph of an operator set. */
  public GraphBuilder(int opset) {
    this.opset = opset;
  }

  /** An input; a dim is a number or the name of a symbol. */
  public GraphBuilder input(String name, DType dtype, Object... dims) {
    List<Dim> extents = new ArrayList<>();
    for (Object dim : dims) {
      extents.add(dim instanceof Integer number ? Dim.of(number) : Dim.symbol((String) dim));
    }
    inputs.add(new ValueInfo(name, dtype, extents));
    return this;
  }

  /** A constant. */
  public GraphBuilder constant(String name, Tensor tensor) {
    constants.put(name, new Constant.Plain(tensor));
    return this;
  }

  /** An f32 scalar constant. */
  public GraphBuilder scalar(String name, double value) {
    return constant(name, Tensor.of(new float[] {(float) value}));
  }

  /** A one-dimensional i64 constant. */
  public GraphBuilder longs(String name, long... values) {
    return constant(name, Tensor.of(values, values.length));
  }

  /** A node with one output. */
  public GraphBuilder node(String type, String output, String... reads) {
    return node(type, Map.of(), List.of(output), reads);
  }

  /**
   * A node with attributes: a Long or Integer becomes a whole number, a List of them whole numbers,
   * a Float a float, a String a text, a Tensor a tensor; an attribute stays as it is.
   */
  public GraphBuilder node(
      String type, Map<String, Object> attributes, List<String> makes, String... reads) {
    nodes.add(node(type, attributes, List.of(reads), makes));
    return this;
  }

  /** A node that was made on its own. */
  public GraphBuilder add(Node node) {
    nodes.add(node);
    return this;
  }

  /** A node on its own. */
  public static Node node(
      String type, Map<String, Object> attributes, List<String> reads, List<String> makes) {
    Map<String, Attribute> typed = new HashMap<>();
    attributes.forEach((name, value) -> typed.put(name, attribute(value)));
    return new Node(makes.getFirst(), Node.ONNX, type, reads, makes, typed);
  }

  private static Attribute attribute(Object value) {
    return switch (value) {
      case Attribute made -> made;
      case Integer number -> new Attribute.Int(number);
      case Long number -> new Attribute.Int(number);
      case Float real -> new Attribute.Real(real);
      case String text -> new Attribute.Text(text);
      case Tensor tensor -> new Attribute.Array(tensor);
      case List<?> numbers ->
          new Attribute.Ints(
              numbers.stream().map(number -> ((Number) number).longValue()).toList());
      default -> throw new IllegalArgumentException("no attribute: " + value);
    };
  }

  /** An f32 output of unknown shape. */
  public GraphBuilder output(String name) {
    return output(name, DType.F32);
  }

  /** An output of unknown shape. */
  public GraphBuilder output(String name, DType dtype) {
    outputs.add(new ValueInfo(name, dtype, null));
    return this;
  }

  /** The graph, checked and in executable order. */
  public Graph build() {
    return new Graph("test", opset, inputs, outputs, nodes, constants).sorted();
  }
}
