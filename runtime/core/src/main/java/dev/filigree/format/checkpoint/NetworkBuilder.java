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
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes the graph of a checkpoint down in ONNX's operators, of which every method adds one or a
 * few and returns the name of the value they make. Values are named after the module they belong
 * to, so that messages and plans speak of the layers as their author does.
 */
class NetworkBuilder {
  /** The operator set the graphs follow. */
  static final int OPSET = 17;

  /** What is added to the name of a table that is the weights of a head too. */
  static final String TIED = ".tied";

  private final WeightSource layers;
  private final List<ValueInfo> inputs = new ArrayList<>();
  private final List<ValueInfo> outputs = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, Constant> constants = new LinkedHashMap<>();
  private String module = "";
  private int values;

  /** A graph without nodes over the layers of a checkpoint. */
  NetworkBuilder(WeightSource layers) {
    this.layers = layers;
  }

  /** The layers of the checkpoint. */
  WeightSource layers() {
    return layers;
  }

  /** The nodes so far. */
  List<Node> nodes() {
    return nodes;
  }

  /** The constants so far. */
  Map<String, Constant> constants() {
    return constants;
  }

  /** Names the module whose values follow. */
  NetworkBuilder in(String name) {
    module = name;
    return this;
  }

  /** An i64 input {@code [batch, sequence]}. */
  String tokens(String name) {
    return tokens(name, Dim.symbol("batch"), Dim.symbol("sequence"));
  }

  /** An i64 input. */
  String tokens(String name, Dim... dims) {
    inputs.add(new ValueInfo(name, DType.I64, List.of(dims)));
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

  /** An operator of several results. */
  List<String> op(String type, int results, String... reads) {
    String made = module + "/" + type + "_" + values++;
    List<String> all = new ArrayList<>();
    for (int result = 0; result < results; result++) {
      all.add(made + ":" + result);
    }
    nodes.add(new Node(made, Node.ONNX, type, List.of(reads), all, Map.of()));
    return all;
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

  /** A tensor of the checkpoint as f32, of any rank. */
  String tensor(String name, long... extents) {
    constants.computeIfAbsent(name, key -> new Constant.Plain(layers.tensor(key, extents)));
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
   * A small matrix of the checkpoint as f32 {@code [rows, columns]}, for other uses than layers.
   */
  String matrix(String name, int rows, int columns) {
    String weight = name + ".weight";
    constants.computeIfAbsent(
        weight,
        key ->
            new Constant.Plain(
                Tensor.of(layers.weights(name, rows, columns).unpack(), rows, columns)));
    return weight;
  }

  /** Rows of a table of words or positions. */
  String words(String name, int rows, int features, String ids) {
    in(name);
    return gather(table(name, rows, features), ids);
  }

  /** A linear layer of the checkpoint, with its bias if it has one. */
  String linear(String x, String name, int out, int in) {
    return linear(x, name, out, in, false);
  }

  /**
   * A linear layer of the checkpoint, with its bias if it has one.
   *
   * @param name of the module
   * @param turned whether the checkpoint has dense weights as {@code [in, out]}
   */
  String linear(String x, String name, int out, int in, boolean turned) {
    String table = name + ".weight";
    // a head that shares the table of words needs it the other way around
    boolean isTable =
        constants.get(table) instanceof Constant.Compressed(Weights of, boolean turnedAlready)
            && !turnedAlready;
    String weights = isTable ? name + TIED + ".weight" : table;
    Weights own =
        constants.get(table) instanceof Constant.Compressed(Weights shared, boolean transposed)
            ? shared
            : layers.linear(name, out, in, turned);
    constants.putIfAbsent(weights, new Constant.Compressed(own, true));
    in(name);
    String product = op("MatMul", x, weights);
    return layers.has(name + ".bias") ? op("Add", product, vector(name + ".bias", out)) : product;
  }

  /** Whether the checkpoint has scales of a normalisation. */
  boolean hasScales(String name) {
    return layers.has(early(name + ".gamma", name + ".weight"));
  }

  /** A layer normalisation of the checkpoint over the last axis; one without scales has ones. */
  String layerNormalization(String x, String name, int features, double epsilon) {
    in(name);
    String scale = early(name + ".gamma", name + ".weight");
    String known = layers.has(scale) ? vector(scale, features) : ones(features);
    return layerNormalization(x, name, known, features, epsilon);
  }

  /** A layer normalisation with scales that are known already. */
  String layerNormalization(String x, String name, String scale, int features, double epsilon) {
    in(name);
    Map<String, Attribute> attributes =
        Map.of("axis", new Attribute.Int(-1), "epsilon", new Attribute.Real((float) epsilon));
    String bias = early(name + ".beta", name + ".bias");
    return layers.has(bias)
        ? op("LayerNormalization", attributes, x, scale, vector(bias, features))
        : op("LayerNormalization", attributes, x, scale);
  }

  /** Features scaled and shifted by vectors of the checkpoint. */
  String scaled(String x, String name, int features) {
    in(name);
    String product = op("Mul", x, vector(name + ".weight", features));
    return op("Add", product, vector(name + ".bias", features));
  }

  /** The last axis less its mean, by the root of its variance. */
  String standardized(String x, int features, double epsilon) {
    Map<String, Attribute> attributes =
        Map.of("axis", new Attribute.Int(-1), "epsilon", new Attribute.Real((float) epsilon));
    return op("LayerNormalization", attributes, x, ones(features));
  }

  private String ones(int features) {
    float[] ones = new float[features];
    Arrays.fill(ones, 1);
    return constant(Tensor.of(ones, features));
  }

  /** Scales of a normalisation: a vector of the checkpoint, or one more than that. */
  String scales(String name, int features, boolean oneMore) {
    String vector = vector(name, features);
    return oneMore ? op("Add", vector, scalar(1)) : vector;
  }

  /** Normalises the last axis by the root of its mean square. */
  String rootMeanSquare(String x, String name, int features, double epsilon, boolean oneMore) {
    in(name);
    return rootMeanSquare(x, scales(name + ".weight", features, oneMore), epsilon);
  }

  /** The same with scales that are known already. */
  String rootMeanSquare(String x, String scales, double epsilon) {
    String square = op("Mul", x, x);
    String mean = op("ReduceMean", Map.of("axes", ints(-1)), square);
    String root = op("Sqrt", op("Add", mean, scalar(epsilon)));
    return op("Mul", op("Div", x, root), scales);
  }

  /** A function by the name transformers gives it. */
  String activation(String x, String function, JsonFile config) {
    return Activations.apply(this, x, function, config);
  }

  /** The product of a gate's function and another value. */
  String gated(String gate, String x, String function, JsonFile config) {
    return op("Mul", activation(gate, function, config), x);
  }

  /** What a layer adds to its input. */
  String residual(String x, String made) {
    return op("Add", x, made);
  }

  /** A value times a number. */
  String times(String x, double factor) {
    return factor == 1 ? x : op("Mul", x, scalar(factor));
  }

  /** A value that a tanh bounds; unbounded for 0. */
  String capped(String x, double cap) {
    return cap == 0 ? x : op("Mul", op("Tanh", op("Div", x, scalar(cap))), scalar(cap));
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
