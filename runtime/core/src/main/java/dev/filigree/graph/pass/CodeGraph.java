package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.CodeOperation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** A graph while {@link WholeNumbers} rewrites it. */
final class CodeGraph {
  /** Operators that move elements, or choose among them, without a look at what they stand for. */
  private static final Set<String> MOVES =
      Set.of(
          "DepthToSpace",
          "Flatten",
          "Gather",
          "Identity",
          "MaxPool",
          "Reshape",
          "Slice",
          "SpaceToDepth",
          "Split",
          "Squeeze",
          "Transpose",
          "Unsqueeze");

  /** Letters of the names that this pass gives. */
  private static final String NAMES = "whole";

  /**
   * What codes stand for.
   *
   * @param dtype i8 or u8
   */
  record Quantization(float scale, DType dtype, int zero) {}

  /**
   * Codes that are held as whole f32 numbers too.
   *
   * @param value their name; or of the floats they are made of
   * @param scale by which those floats are divided, 0 for whole numbers
   */
  private record Held(String value, DType dtype, int zero, float scale) {}

  private final Graph graph;
  private final GraphView view;
  private final Map<String, Constant> constants;
  private final Map<String, Node> producers;
  private final Map<String, Held> held = new HashMap<>();

  /** Codes read by DequantizeLinear, by their name and zero point. */
  private final Map<String, String> read = new HashMap<>();

  private final List<Node> nodes = new ArrayList<>();
  private final WholeProducts products;

  CodeGraph(Graph graph) {
    this.graph = graph;
    this.view = new GraphView(graph);
    this.constants = new LinkedHashMap<>(graph.constants());
    this.producers = graph.producers();
    this.products = new WholeProducts(this, graph.consumers());
  }

  Graph rewritten() {
    for (Node node : graph.nodes()) {
      Lowered to = new Lowered(node, constants, NAMES);
      boolean done =
          node.domain().equals(Node.ONNX) && (products.lower(node, to) || lower(node, to));
      nodes.addAll(to.nodes());
      if (!done) {
        nodes.add(node);
      }
    }
    return graph.with(nodes, constants);
  }

  private boolean lower(Node node, Lowered to) {
    return switch (node.type()) {
      case "QuantizeLinear" -> quantize(node, to);
      case "DequantizeLinear" -> dequantize(node, to);
      case "Shape", "Size" -> measure(node, to);
      case "Concat" -> concat(node, to);
      default -> MOVES.contains(node.type()) && move(node, to);
    };
  }

  Optional<Tensor> constant(String value) {
    return constants.get(value) instanceof Constant.Plain(Tensor tensor)
        ? Optional.of(tensor)
        : Optional.empty();
  }

  Optional<ValueType> type(String value) {
    return view.type(value);
  }

  Optional<Node> producer(String value, String type) {
    return Optional.ofNullable(producers.get(value)).filter(node -> node.is(type));
  }

  /** One constant scale and zero point of codes of 8 bits. */
  Optional<Quantization> quantization(String scale, Optional<String> zero) {
    Optional<Tensor> factor =
        constant(scale).filter(t -> t.elements() == 1 && t.dtype() == DType.F32);
    if (factor.isEmpty()) {
      return Optional.empty();
    }
    float value = (float) factor.get().getDouble(0);
    if (zero.isEmpty()) {
      return Optional.of(new Quantization(value, DType.U8, 0));
    }
    return constant(zero.get())
        .filter(t -> t.elements() == 1 && isByte(t.dtype()))
        .map(t -> new Quantization(value, t.dtype(), (int) t.getLong(0)));
  }

  static boolean isByte(DType dtype) {
    return dtype == DType.I8 || dtype == DType.U8;
  }

  /** Codes as whole f32 numbers less a zero point. */
  String whole(String codes, DType dtype, int zero, Lowered to) {
    Held known = held.get(codes);
    if (known != null && known.dtype == dtype && known.zero == zero) {
      return value(codes, known, to);
    }
    return read.computeIfAbsent(
        codes + " less " + zero,
        key -> to.add("DequantizeLinear", codes, one(to), zero(dtype, zero, to)));
  }

  /** The whole numbers of held codes, rounded now if nobody needed them before. */
  private String value(String codes, Held known, Lowered to) {
    if (known.scale == 0) {
      return known.value;
    }
    String rounded =
        to.addFused(
            CodeOperation.ROUND.type(),
            CodeOperation.attributes(known.dtype, known.zero, List.of(known.scale), List.of()),
            known.value);
    held.put(codes, new Held(rounded, known.dtype, known.zero, 0));
    return rounded;
  }

  /** Gives whole numbers the name of the codes that they are. */
  void made(String whole, String codes, DType dtype, int zero, Lowered to) {
    to.add("QuantizeLinear", Map.of(), List.of(whole, one(to), zero(dtype, zero, to)), codes);
    held.put(codes, new Held(whole, dtype, zero, 0));
  }

  private static String one(Lowered to) {
    return to.constant(number(DType.F32, 1));
  }

  private static String zero(DType dtype, int zero, Lowered to) {
    return to.constant(number(dtype, zero));
  }

  private static Tensor number(DType dtype, int value) {
    Tensor number = Tensor.zeros(dtype, Shape.of());
    number.setDouble(0, value);
    return number;
  }

  private boolean quantize(Node node, Lowered to) {
    Optional<Quantization> y = quantization(node.inputs().get(1), node.input(2));
    boolean floats = type(node.inputs().getFirst()).filter(x -> x.dtype() == DType.F32).isPresent();
    if (y.isEmpty() || !floats || node.intAttribute("output_dtype", 0) != 0) {
      return false;
    }
    boolean made =
        switch (node.textAttribute(VendorQuantized.OF, "")) {
          case "QLinearAdd" -> pair(node, "Add", CodeOperation.ADD, y.get(), to);
          case "QLinearMul" -> pair(node, "Mul", CodeOperation.MULTIPLY, y.get(), to);
          case "QLinearGlobalAveragePool" -> mean(node, y.get(), to);
          default -> false;
        };
    if (!made) {
      held.put(
          node.output(),
          new Held(node.inputs().getFirst(), y.get().dtype, y.get().zero, y.get().scale));
    }
    return made;
  }

  /** Codes that a DequantizeLinear reads, and what they stand for. */
  private record Operand(String codes, Quantization form) {}

  private Optional<Operand> operand(String floats) {
    return producer(floats, "DequantizeLinear")
        .flatMap(
            node ->
                quantization(node.inputs().get(1), node.input(2))
                    .map(form -> new Operand(node.inputs().getFirst(), form)));
  }

  private boolean pair(
      Node node, String type, CodeOperation operation, Quantization y, Lowered to) {
    Optional<Node> inner = producer(node.inputs().getFirst(), type);
    Optional<Operand> a = inner.flatMap(pair -> operand(pair.inputs().get(0)));
    Optional<Operand> b = inner.flatMap(pair -> operand(pair.inputs().get(1)));
    if (a.isEmpty() || b.isEmpty() || operation == CodeOperation.ADD && !alike(a.get(), b.get())) {
      return false;
    }
    Quantization left = a.get().form;
    Quantization right = b.get().form;
    String made =
        to.addFused(
            operation.type(),
            CodeOperation.attributes(
                y.dtype,
                y.zero,
                List.of(left.scale, right.scale, y.scale),
                List.of((long) left.zero, (long) right.zero)),
            whole(a.get().codes, left.dtype, left.zero, to),
            whole(b.get().codes, right.dtype, right.zero, to));
    made(made, node.output(), y.dtype, y.zero, to);
    return true;
  }

  private boolean alike(Operand a, Operand b) {
    Optional<ValueType> left = type(a.codes);
    Optional<ValueType> right = type(b.codes);
    return left.isPresent() && right.isPresent() && left.get().dims().equals(right.get().dims());
  }

  private boolean mean(Node node, Quantization y, Lowered to) {
    Optional<Operand> x =
        producer(node.inputs().getFirst(), "GlobalAveragePool")
            .flatMap(pool -> operand(pool.inputs().getFirst()));
    if (x.isEmpty()) {
      return false;
    }
    Quantization form = x.get().form;
    String mean =
        to.addFused(
            CodeOperation.MEAN.type(),
            CodeOperation.attributes(y.dtype, y.zero, List.of(form.scale, y.scale), List.of()),
            whole(x.get().codes, form.dtype, form.zero, to));
    made(mean, node.output(), y.dtype, y.zero, to);
    return true;
  }

  private boolean dequantize(Node node, Lowered to) {
    String codes = node.inputs().getFirst();
    Held known = held.get(codes);
    Optional<Quantization> x = quantization(node.inputs().get(1), node.input(2));
    if (known == null
        || x.isEmpty()
        || known.dtype != x.get().dtype
        || known.zero != x.get().zero) {
      return false;
    }
    to.into("Mul", Map.of(), value(codes, known, to), node.inputs().get(1));
    return true;
  }

  /** Lets what only asks for a shape ask it of floats, so that nobody needs the codes. */
  private boolean measure(Node node, Lowered to) {
    Held known = held.get(node.inputs().getFirst());
    if (known == null) {
      return false;
    }
    to.into(node.type(), node.attributes(), known.value);
    return true;
  }

  private boolean move(Node node, Lowered to) {
    Held known = held.get(node.inputs().getFirst());
    boolean chosen = node.outputs().stream().filter(name -> !name.isEmpty()).count() > 1;
    if (known == null || node.is("MaxPool") && chosen) {
      return false;
    }
    List<String> inputs = new ArrayList<>(node.inputs());
    inputs.set(0, value(node.inputs().getFirst(), known, to));
    moved(node, inputs, known, node.attributes(), to);
    return true;
  }

  private void moved(
      Node node, List<String> inputs, Held known, Map<String, Attribute> attributes, Lowered to) {
    List<String> outputs =
        node.outputs().stream().map(output -> output.isEmpty() ? "" : to.fresh()).toList();
    to.addAll(node.type(), attributes, inputs, outputs);
    for (int i = 0; i < outputs.size(); i++) {
      if (!outputs.get(i).isEmpty()) {
        made(outputs.get(i), node.outputs().get(i), known.dtype, known.zero, to);
      }
    }
  }

  private boolean concat(Node node, Lowered to) {
    Held first = held.get(node.inputs().getFirst());
    List<String> inputs = new ArrayList<>();
    for (String input : node.inputs()) {
      Held known = held.get(input);
      if (known == null || known.dtype != first.dtype || known.zero != first.zero) {
        return false;
      }
    }
    node.inputs().forEach(input -> inputs.add(value(input, held.get(input), to)));
    moved(node, inputs, first, node.attributes(), to);
    return true;
  }
}
