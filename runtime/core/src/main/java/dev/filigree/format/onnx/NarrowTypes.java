package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.quant.LinearQuantization;
import dev.filigree.kernel.quant.SmallFloat;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Types that Filigree holds in wider ones: integers of four bits, two in a byte with the first in
 * the low bits (operator set 21), in bytes; {@linkplain SmallFloat floats of eight bits and four}
 * in f32. The values mean the same wherever they are moved or dequantised. What rounds to such a
 * type is written so that the wider one holds the rounded value; anything else is refused.
 */
final class NarrowTypes {
  private static final long UINT4 = 21;
  private static final long INT4 = 22;

  /** Operators to whose results it does not matter how wide their operand is held. */
  private static final Set<String> INDIFFERENT =
      Set.of(
          "DequantizeLinear",
          "Flatten",
          "Gather",
          "GatherBlockQuantized",
          "Identity",
          "Reshape",
          "Shape",
          "Size",
          "Slice",
          "Squeeze",
          "Transpose",
          "Unsqueeze");

  /** Those of them whose results are of another type. */
  private static final Set<String> ENDING =
      Set.of("Cast", "DequantizeLinear", "GatherBlockQuantized", "Shape", "Size");

  /** Types of values by their names. */
  private final Map<String, Long> types = new HashMap<>();

  /** Types of constants that nodes hold or functions are given, of the whole model. */
  private final Map<Attribute, Long> noted;

  /** What is known within graphs that nodes run, of the whole model. */
  private final Map<Graph, NarrowTypes> bodies;

  NarrowTypes() {
    this(new IdentityHashMap<>(), new IdentityHashMap<>());
  }

  private NarrowTypes(Map<Attribute, Long> noted, Map<Graph, NarrowTypes> bodies) {
    this.noted = noted;
    this.bodies = bodies;
  }

  /** Types of values within a graph or function of the same model; none of them is known yet. */
  NarrowTypes inner() {
    return new NarrowTypes(noted, bodies);
  }

  /** Whether ONNX's number of a type is that of a narrow one. */
  static boolean isNarrow(long type) {
    return isInteger(type) || SmallFloat.of(type).isPresent();
  }

  private static boolean isInteger(long type) {
    return type == UINT4 || type == INT4;
  }

  /** Bits of a value of a narrow type in the file. */
  static int bits(long type) {
    return SmallFloat.of(type).map(SmallFloat::bits).orElse(4);
  }

  /** Adds names of values of a type, if it is a narrow one. */
  void add(long type, List<String> names) {
    if (isNarrow(type)) {
      names.forEach(name -> types.put(name, type));
    }
  }

  /** Remembers the type of a constant among attributes. */
  void note(Attribute constant, long type) {
    if (isNarrow(type)) {
      noted.put(constant, type);
    }
  }

  /** Adds what a node makes of a constant that it holds. */
  void addConstants(Node node) {
    for (Attribute attribute : node.attributes().values()) {
      add(noted.getOrDefault(attribute, 0L), node.outputs());
    }
  }

  /** Keeps what is known within a graph that a node runs until that node is resolved. */
  void addBody(Graph body, NarrowTypes known) {
    bodies.put(body, known);
  }

  /**
   * Adds what is known within a function.
   *
   * @param body nodes as the function has them
   * @param inlined the same under other names, after any others
   */
  void addRenamed(NarrowTypes known, List<Node> body, List<Node> inlined) {
    int first = inlined.size() - body.size();
    for (int i = 0; i < body.size(); i++) {
      for (int j = 0; j < body.get(i).outputs().size(); j++) {
        Long type = known.types.get(body.get(i).outputs().get(j));
        if (type != null) {
          types.put(inlined.get(first + i).outputs().get(j), type);
        }
      }
    }
  }

  /**
   * Replaces nodes that round to a narrow type by such as round in a wider one, within the graphs
   * that nodes run too.
   *
   * @throws dev.filigree.UnsupportedException if a node treats a value otherwise as what it is in
   *     the file
   */
  void resolve(List<Node> nodes) {
    List<Node> resolved = new ArrayList<>();
    for (Node node : nodes) {
      if (node.type().equals("QuantizeLinear") && isNarrow(target(node))) {
        quantize(node, target(node), resolved);
      } else if (node.is("Cast") && isRounded(node.intAttribute("to", 0))) {
        cast(node, resolved);
      } else {
        resolved.add(moved(withBodies(node)));
      }
    }
    nodes.clear();
    nodes.addAll(resolved);
  }

  /** A node whose graphs are resolved with what is known of the values they capture. */
  private Node withBodies(Node node) {
    if (node.bodies().isEmpty()) {
      return node;
    }
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    attributes.replaceAll(
        (key, value) ->
            value instanceof Attribute.Body(Graph body, int captures)
                ? new Attribute.Body(resolved(node, body, captures), captures)
                : value);
    return new Node(
        node.name(), node.domain(), node.type(), node.inputs(), node.outputs(), attributes);
  }

  private Graph resolved(Node node, Graph body, int captures) {
    int outside = node.inputs().size() - captures;
    if (outside < 0) {
      throw node.problem("lacks what its graphs capture", "export it again");
    }
    NarrowTypes inner = inner();
    inner.types.putAll(bodies.get(body).types);
    int own = body.inputs().size() - captures;
    for (int i = 0; i < captures; i++) {
      Long type = types.get(node.inputs().get(outside + i));
      if (type != null) {
        inner.types.put(body.inputs().get(own + i).name(), type);
      }
    }
    List<Node> nodes = new ArrayList<>(body.nodes());
    inner.resolve(nodes);
    for (ValueInfo output : body.outputs()) {
      Long type = inner.types.get(output.name());
      if (type != null) {
        throw node.unsupported(
            "makes '" + output.name() + "' of " + described(type),
            "dequantise it within the graph that the node runs");
      }
    }
    return body.with(nodes, body.constants());
  }

  private static String described(long type) {
    return isInteger(type) ? "four-bit integers" : "floats of " + bits(type) + " bits";
  }

  /** The type that a QuantizeLinear makes, where its zero point or attribute say so. */
  private long target(Node node) {
    Optional<Long> zeroPoint = node.input(2).map(types::get);
    return zeroPoint.orElse(node.intAttribute("output_dtype", 0));
  }

  private static boolean isRounded(long type) {
    return SmallFloat.of(type).filter(SmallFloat::isRounded).isPresent();
  }

  private void quantize(Node node, long type, List<Node> resolved) {
    add(type, node.outputs());
    if (isInteger(type)) {
      clip(node, type, resolved);
    } else if (isRounded(type)) {
      resolved.add(rounding(node, type, node.inputs()));
    } else {
      throw node.unsupported(
          "rounds to " + SmallFloat.of(type).orElseThrow(), "keep the constant it makes");
    }
  }

  private static Node rounding(Node node, long type, List<String> inputs) {
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    attributes.put(LinearQuantization.FORM, new Attribute.Int(type));
    return new Node(node.name(), Node.FUSED, "QuantizeFloats", inputs, node.outputs(), attributes);
  }

  /** Saturates at the bounds of a byte, then at those of four bits, which lie within. */
  private static void clip(Node node, long type, List<Node> resolved) {
    boolean signed = type == INT4;
    DType dtype = signed ? DType.I8 : DType.U8;
    Map<String, Attribute> attributes = new HashMap<>(node.attributes());
    if (attributes.containsKey("output_dtype")) {
      attributes.put("output_dtype", new Attribute.Int(OnnxTypes.number(dtype)));
    }
    String wide = node.output() + "\u00b7wide";
    resolved.add(
        new Node(
            node.name(), node.domain(), node.type(), node.inputs(), List.of(wide), attributes));
    String least = constant(node, "least", dtype, signed ? -8 : 0, resolved);
    String most = constant(node, "most", dtype, signed ? 7 : 15, resolved);
    List<String> inputs = List.of(wide, least, most);
    resolved.add(
        new Node(node.name() + "/clip", Node.ONNX, "Clip", inputs, node.outputs(), Map.of()));
  }

  private void cast(Node node, List<Node> resolved) {
    long type = node.intAttribute("to", 0);
    add(type, node.outputs());
    String one = constant(node, "one", DType.F32, 1, resolved);
    resolved.add(rounding(node, type, List.of(node.inputs().getFirst(), one)));
  }

  private static String constant(
      Node node, String what, DType dtype, double number, List<Node> resolved) {
    Tensor value = Tensor.zeros(dtype, Shape.of());
    value.setDouble(0, number);
    String name = node.output() + "\u00b7" + what;
    resolved.add(
        new Node(
            node.name() + "/" + what,
            Node.ONNX,
            "Constant",
            List.of(),
            List.of(name),
            Map.of("value", new Attribute.Array(value))));
    return name;
  }

  /** A node that moves or dequantises values. */
  private Node moved(Node node) {
    // what graphs capture is looked at where they read it
    for (String input : node.inputs().subList(0, node.inputs().size() - node.captures())) {
      Long type = types.get(input);
      boolean widened = type != null && node.is("Cast") && !isInteger(type);
      if (type != null && !widened && !INDIFFERENT.contains(node.type())) {
        throw node.unsupported(
            "reads '" + input + "' of " + described(type),
            "such types are supported for what is quantised and dequantised");
      }
    }
    Long first = node.input(0).map(types::get).orElse(null);
    if (first == null) {
      return node;
    }
    if (!ENDING.contains(node.type())) {
      add(first, node.outputs());
    }
    return node.type().equals("DequantizeLinear") && !isInteger(first)
        ? new Node(
            node.name(),
            Node.FUSED,
            "DequantizeFloats",
            node.inputs(),
            node.outputs(),
            node.attributes())
        : node;
  }

  /** A constant whose elements the file holds in fewer bits. */
  static Constant unpacked(long type, Shape shape, Constant packed) {
    Tensor bytes = packed.toTensor();
    Optional<SmallFloat> form = SmallFloat.of(type);
    DType dtype = form.isPresent() ? DType.F32 : type == INT4 ? DType.I8 : DType.U8;
    Tensor values = Tensor.zeros(dtype, shape);
    int bits = bits(type);
    int inByte = 8 / bits;
    for (long i = 0; i < shape.elements(); i++) {
      int code = (int) (bytes.getLong(i / inByte) >>> i % inByte * bits) & (1 << bits) - 1;
      if (form.isPresent()) {
        values.setDouble(i, form.get().decode(code));
      } else {
        values.setLong(i, type == INT4 && code > 7 ? code - 16 : code);
      }
    }
    return new Constant.Plain(values);
  }
}
