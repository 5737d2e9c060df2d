package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.LongStream;

/** What one node becomes: nodes that compute the same, and constants they need. */
final class Lowered {
  private final Node node;
  private final Map<String, Constant> constants;
  private final List<Node> made = new ArrayList<>();
  private final String pass;
  private final Function<String, Optional<ValueType>> types;
  private int count;

  /**
   * What a pass makes of a node that another may have made before.
   *
   * @param constants of the graph; new ones are added
   * @param pass letters that no other pass has, for the names
   */
  Lowered(Node node, Map<String, Constant> constants, String pass) {
    this(node, constants, pass, name -> Optional.empty());
  }

  /**
   * What a pass makes of a node whose inputs' types it may ask for.
   *
   * @param types what is known of a value's type by its name
   */
  Lowered(
      Node node,
      Map<String, Constant> constants,
      String pass,
      Function<String, Optional<ValueType>> types) {
    this.pass = pass;
    this.types = types;
    this.node = node;
    this.constants = constants;
  }

  List<Node> nodes() {
    return made;
  }

  /** Name of an input of the lowered node; empty if it is absent. */
  String in(int i) {
    return node.input(i).orElse("");
  }

  boolean has(int i) {
    return node.input(i).isPresent();
  }

  /** What is known of an input's type; nothing of an absent one. */
  Optional<ValueType> type(int i) {
    return node.input(i).flatMap(types);
  }

  /** Adds a node and names what it makes. */
  String add(String type, Map<String, Attribute> attributes, String... inputs) {
    return add(type, attributes, List.of(inputs), fresh());
  }

  /** Adds a node without attributes and names what it makes. */
  String add(String type, String... inputs) {
    return add(type, Map.of(), inputs);
  }

  /** Adds an axis: an attribute up to operator set 12, an input from then on. */
  String unsqueeze(String x, long axis) {
    Map<String, Attribute> axes = Map.of("axes", new Attribute.Ints(List.of(axis)));
    return add("Unsqueeze", axes, x, constant(Tensor.of(new long[] {axis}, 1)));
  }

  /** Adds a node whose result has a name. */
  String add(String type, Map<String, Attribute> attributes, List<String> inputs, String output) {
    return addAll(type, attributes, inputs, List.of(output)).getFirst();
  }

  /** Adds a node with several results. */
  List<String> addAll(
      String type, Map<String, Attribute> attributes, List<String> inputs, List<String> outputs) {
    made.add(new Node(name(), Node.ONNX, type, inputs, outputs, attributes));
    return outputs;
  }

  /** Adds a node of an operator that is not ONNX's and names what it makes. */
  String addFused(String type, Map<String, Attribute> attributes, String... inputs) {
    String name = fresh();
    add(new Node(name(), Node.FUSED, type, List.of(inputs), List.of(name), attributes));
    return name;
  }

  /** Adds a node that was made otherwise. */
  void add(Node whole) {
    made.add(whole);
  }

  /** Name for the node that is added next. */
  String name() {
    return made.isEmpty() ? node.name() : node.name() + "/" + made.size();
  }

  /** Adds the node that makes the first output of the lowered one. */
  void into(String type, Map<String, Attribute> attributes, String... inputs) {
    add(type, attributes, List.of(inputs), node.output());
  }

  /** Cuts along an axis: an attribute up to operator set 12, an input from then on. */
  List<String> split(String x, long axis, long... sizes) {
    Map<String, Attribute> attributes =
        Map.of(
            "axis", new Attribute.Int(axis),
            "split", new Attribute.Ints(LongStream.of(sizes).boxed().toList()));
    List<String> parts = LongStream.of(sizes).mapToObj(size -> fresh()).toList();
    return addAll("Split", attributes, List.of(x, longs(sizes)), parts);
  }

  /** Extents of a value along some of its axes, i64 {@code [axes]}. */
  String extents(String x, long... axes) {
    return add("Gather", add("Shape", x), longs(axes));
  }

  /** One extent of a value, i64 without axes. */
  String extent(String x, long axis) {
    return add("Gather", add("Shape", x), constant(Tensor.of(new long[] {axis})));
  }

  /** The numbers from 0 up to an i64 without axes. */
  String upTo(String end) {
    String zero = constant(Tensor.of(new long[] {0}));
    return add("Range", zero, end, constant(Tensor.of(new long[] {1})));
  }

  /** A constant list of whole numbers. */
  String longs(long... values) {
    return constant(Tensor.of(values, values.length));
  }

  /** A constant under a name of its own. */
  String constant(Constant constant) {
    String name = fresh();
    constants.put(name, constant);
    return name;
  }

  /** A constant tensor under a name of its own. */
  String constant(Tensor tensor) {
    return constant(new Constant.Plain(tensor));
  }

  /** Some of the node's attributes, those it has. */
  Map<String, Attribute> attributes(String... names) {
    Map<String, Attribute> some = new HashMap<>();
    for (String name : names) {
      Attribute value = node.attributes().get(name);
      if (value != null) {
        some.put(name, value);
      }
    }
    return some;
  }

  /** A name that no file has given: it has a character that comes with no exporter. */
  String fresh() {
    return node.output() + "\u00b7" + pass + count++;
  }
}
