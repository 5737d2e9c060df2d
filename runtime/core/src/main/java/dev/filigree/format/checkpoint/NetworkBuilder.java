package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes the graph of a checkpoint down in ONNX's operators, of which every method adds one or a
 * few and returns the name of the value they make. Values are named after the module they belong
 * to, so that messages and plans speak of the layers as their author does.
 */
final class NetworkBuilder {
  /** The operator set the graphs follow. */
  static final int OPSET = 17;

  private final LayerReader layers;
  private final List<ValueInfo> inputs = new ArrayList<>();
  private final List<ValueInfo> outputs = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, Constant> constants = new LinkedHashMap<>();
  private String module = "";
  private int values;

  /** A graph without nodes over the layers of a checkpoint. */
  NetworkBuilder(LayerReader layers) {
    this.layers = layers;
  }

  /** The layers of the checkpoint. */
  LayerReader layers() {
    return layers;
  }

  /** Names the module whose values follow. */
  NetworkBuilder in(String name) {
    module = name;
    return this;
  }

  /** An i64 input {@code [batch, sequence]}. */
  String tokens(String name) {
    inputs.add(
        new ValueInfo(name, DType.I64, List.of(Dim.symbol("batch"), Dim.symbol("sequence"))));
    return name;
  }

  /** Gives a value the name of an f32 output {@code [batch, sequence, features]}. */
  void output(String name, String value, int features) {
    output(name, value, Dim.symbol("batch"), Dim.symbol("sequence"), Dim.of(features));
  }

  /** Gives a value the name of an f32 output. */
  void output(String name, String value, Dim... dims) {
    nodes.add(new Node(name, Node.ONNX, "Identity", List.of(value), List.of(name), Map.of()));
    outputs.add(new ValueInfo(name, DType.F32, List.of(dims)));
  }

  /** An operator without attributes. */
  String op(String type, String... reads) {
    return op(type, Map.of(), reads);
  }

  /** An operator. */
  String op(String type, Map<String, Attribute> attributes, String... reads) {
    String made = module + "/" + type + "_" + values++;
    nodes.add(new Node(made, Node.ONNX, type, List.of(reads), List.of(made), attributes));
    return made;
  }

  /** An f32 scalar. */
  String scalar(double value) {
    return constant(Tensor.of(new float[] {(float) value}));
  }

  /** An i64 vector. */
  String longs(long... numbers) {
    return constant(Tensor.of(numbers, numbers.length));
  }

  /** An i64 scalar. */
  String number(long value) {
    return constant(Tensor.of(new long[] {value}));
  }

  /** A constant of the network's own. */
  String constant(Tensor tensor) {
    String name = module + "/constant_" + values++;
    constants.put(name, new Constant.Plain(tensor));
    return name;
  }

  /** A vector of the checkpoint as f32. */
  String vector(String name, int extent) {
    constants.computeIfAbsent(name, key -> new Constant.Plain(layers.vector(key, extent)));
    return name;
  }

  /** A table of the checkpoint, {@code [rows, features]}. */
  String table(String name, int rows, int features) {
    constants.computeIfAbsent(
        name + ".weight",
        key -> new Constant.Compressed(layers.weights(name, rows, features), false));
    return name + ".weight";
  }

  /**
   * A linear layer of the checkpoint, with its bias if it has one.
   *
   * @param name of the module
   */
  String linear(String x, String name, int out, int in) {
    String table = name + ".weight";
    // a head that shares the table of words needs it the other way around
    String weights = constants.containsKey(table) ? name + ".tied.weight" : table;
    Weights own =
        constants.get(table) instanceof Constant.Compressed(Weights shared, boolean transposed)
            ? shared
            : layers.weights(name, out, in);
    constants.putIfAbsent(weights, new Constant.Compressed(own, true));
    in(name);
    String product = op("MatMul", x, weights);
    return layers.has(name + ".bias") ? op("Add", product, vector(name + ".bias", out)) : product;
  }

  /** A layer normalisation of the checkpoint over the last axis. */
  String layerNormalization(String x, String name, int features, double epsilon) {
    in(name);
    return op(
        "LayerNormalization",
        Map.of("axis", new Attribute.Int(-1), "epsilon", new Attribute.Real((float) epsilon)),
        x,
        vector(early(name + ".gamma", name + ".weight"), features),
        vector(early(name + ".beta", name + ".bias"), features));
  }

  /** The name that checkpoints converted from TensorFlow have, where this one has it. */
  private String early(String early, String name) {
    return layers.has(name) || !layers.has(early) ? name : early;
  }

  /** Rows of a matrix by number. */
  String gather(String table, String indices) {
    return op("Gather", Map.of("axis", new Attribute.Int(0)), table, indices);
  }

  /** Axes exchanged. */
  String transpose(String x, long... order) {
    return op("Transpose", Map.of("perm", ints(order)), x);
  }

  /** A reshape; 0 keeps an extent and -1 is what remains. */
  String reshape(String x, long... extents) {
    return op("Reshape", x, longs(extents));
  }

  /** Axes of extent 1 added. */
  String unsqueeze(String x, long... axes) {
    return op("Unsqueeze", x, longs(axes));
  }

  /** A part of the last axis. */
  String slice(String x, long from, long to) {
    return op("Slice", x, longs(from), longs(to), longs(-1));
  }

  /** Values side by side along an axis. */
  String concat(int axis, String... parts) {
    return op("Concat", Map.of("axis", new Attribute.Int(axis)), parts);
  }

  /** A value as f32. */
  String toFloat(String x) {
    return op("Cast", Map.of("to", new Attribute.Int(1)), x);
  }

  /** Whole numbers 0, 1, ... below the length of the second axis of a value. */
  String positions(String tokens) {
    String shape = op("Shape", tokens);
    String length = gather(shape, number(1));
    return op("Range", number(0), length, number(1));
  }

  /** An attribute of whole numbers. */
  static Attribute ints(long... numbers) {
    List<Long> list = new ArrayList<>();
    for (long number : numbers) {
      list.add(number);
    }
    return new Attribute.Ints(list);
  }

  /** The graph. */
  Graph build(String name) {
    return new Graph(name, OPSET, inputs, outputs, nodes, constants).sorted();
  }
}
