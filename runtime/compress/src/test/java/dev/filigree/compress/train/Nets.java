package dev.filigree.compress.train;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Linear;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Small networks to train in tests; x is their input and y their output. */
final class Nets {
  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, Constant> constants = new LinkedHashMap<>();
  private final List<String> inputs = new ArrayList<>(List.of("x"));
  private String output = "y";

  /** Two convolutions, strided and padded, a residual, pooling, and a linear layer to 4 classes. */
  static Nets classifier(Random random) {
    Nets net = new Nets();
    net.convolution(random, "c1", "x", "h1", 2, 6, 3, 2, "", Activation.TANH);
    net.convolution(random, "c2", "h1", "h2", 6, 6, 3, 1, "h1", Activation.RELU);
    net.nodes.add(
        new Node(
            "pool",
            Node.ONNX,
            "MaxPool",
            List.of("h2"),
            List.of("h3"),
            Map.of(
                "kernel_shape", new Attribute.Ints(List.of(2L, 2L)),
                "strides", new Attribute.Ints(List.of(2L, 2L)))));
    net.nodes.add(new Node("flat", Node.ONNX, "Flatten", List.of("h3"), List.of("h4"), Map.of()));
    net.linear(random, "fc", "h4", "y", 6 * 2 * 2, 4, "", Activation.NONE);
    return net;
  }

  /** Attention over two heads of width 4, and a feed-forward part, with residuals. */
  static Nets transformer(Random random, Activation activation) {
    return transformer(random, activation, false);
  }

  /** The same with an input for the mask. */
  static Nets masked(Random random) {
    Nets net = transformer(random, Activation.GELU, true);
    net.inputs.add("mask");
    return net;
  }

  /**
   * A transformer whose mask is made as long as its texts are, and a layer to 3 classes that reads
   * their first tokens.
   */
  static Nets textClassifier(Random random) {
    Nets net = transformer(random, Activation.GELU, true);
    net.place("one", Tensor.of(new long[] {1}, 1));
    net.place("first", Tensor.of(new long[] {0}));
    List<Node> mask =
        List.of(
            new Node("s", Node.ONNX, "Shape", List.of("h"), List.of("s"), Map.of()),
            new Node("l", Node.ONNX, "Gather", List.of("s", "one"), List.of("l"), Map.of()),
            new Node("m", Node.ONNX, "ConstantOfShape", List.of("l"), List.of("mask"), Map.of()));
    // behind the normalisation that makes h
    net.nodes.addAll(1, mask);
    Map<String, Attribute> tokens = Map.of("axis", new Attribute.Int(1));
    net.then(
        new Node("pick", Node.ONNX, "Gather", List.of("y", "first"), List.of("t"), tokens), "t");
    net.linear(random, "c", "t", "z", 8, 3, "", Activation.TANH);
    net.output = "z";
    return net;
  }

  private void place(String name, Tensor value) {
    constants.put(name, new Constant.Plain(value));
  }

  private static Nets transformer(Random random, Activation activation, boolean masked) {
    Nets net = new Nets();
    net.normalization(random, "n0", "x", "h");
    for (String part : List.of("q", "k", "v")) {
      net.linear(random, part, "h", part + "y", 8, 8, "", Activation.NONE);
    }
    List<String> read = masked ? List.of("qy", "ky", "vy", "mask") : List.of("qy", "ky", "vy");
    net.nodes.add(Attention.node("attention", read, "a", new Attention.Form(2, 2, 1, 2, false)));
    net.linear(random, "o", "a", "o1", 8, 8, "h", Activation.NONE);
    net.normalization(random, "n1", "o1", "h1");
    net.linear(random, "f", "h1", "f1", 8, 20, "", activation);
    net.linear(random, "g", "f1", "g1", 20, 8, "h1", Activation.NONE);
    net.normalization(random, "n2", "g1", "y");
    return net;
  }

  void then(Node node, String newOutput) {
    nodes.add(node);
    output = newOutput;
  }

  int parameters() {
    return (int) constants.values().stream().filter(it -> it.type().dtype().isFloating()).count();
  }

  Graph graph() {
    return new Graph(
        "net",
        13,
        inputs.stream().map(Nets::info).toList(),
        List.of(info(output)),
        nodes,
        constants);
  }

  private static ValueInfo info(String name) {
    return new ValueInfo(name, DType.F32, name.equals("y") ? null : List.of(Dim.symbol("n")));
  }

  Tensor random(Random random, long... extents) {
    Shape shape = Shape.of(extents);
    float[] values = new float[Math.toIntExact(shape.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(DType.F32, shape, MemorySegment.ofArray(values));
  }

  private void constant(Random random, String name, double size, double mean, long... extents) {
    float[] values = random(random, extents).toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (mean + size * values[i]);
    }
    constants.put(name, new Constant.Plain(Tensor.of(values, extents)));
  }

  private void linear(
      Random random,
      String name,
      String x,
      String y,
      int in,
      int out,
      String residual,
      Activation activation) {
    constant(random, name + ".w", 1 / Math.sqrt(in), 0, out, in);
    constant(random, name + ".b", 0.3, 0, out);
    List<String> read = new ArrayList<>(List.of(x, name + ".w", name + ".b"));
    if (!residual.isEmpty()) {
      read.add(residual);
    }
    Node node = Linear.node(name, read, y, false, name + ".w", false);
    nodes.add(Linear.extended(node, name, read, y, activation));
  }

  private void convolution(
      Random random,
      String name,
      String x,
      String y,
      int in,
      int out,
      int kernel,
      int stride,
      String residual,
      Activation activation) {
    constant(
        random, name + ".w", 1 / Math.sqrt(in * kernel * kernel), 0, out, kernel * kernel * in);
    constant(random, name + ".b", 0.3, 0, out);
    List<String> read = new ArrayList<>(List.of(x, name + ".w", name + ".b"));
    Node conv =
        new Node(
            name,
            Node.ONNX,
            "Conv",
            read,
            List.of(y),
            Map.of(
                "strides", new Attribute.Ints(List.of((long) stride, (long) stride)),
                "pads", new Attribute.Ints(List.of(1L, 1L, 1L, 1L))));
    if (!residual.isEmpty()) {
      read.add(residual);
    }
    Node node =
        Convolution.node(conv, conv.name(), name + ".w", List.of((long) kernel, (long) kernel));
    nodes.add(Convolution.extended(node, read, y, activation));
  }

  private void normalization(Random random, String name, String x, String y) {
    constant(random, name + ".scale", 0.2, 1, 8);
    constant(random, name + ".shift", 0.2, 0, 8);
    nodes.add(
        new Node(
            name,
            Node.ONNX,
            "LayerNormalization",
            List.of(x, name + ".scale", name + ".shift"),
            List.of(y),
            Map.of("axis", new Attribute.Int(-1), "epsilon", new Attribute.Real(1e-5f))));
  }
}
