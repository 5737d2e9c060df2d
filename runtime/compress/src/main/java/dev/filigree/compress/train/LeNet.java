package dev.filigree.compress.train;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * The two networks of LeCun et al. ("Gradient-based learning applied to document recognition",
 * 1998) in the form in which Deep Compression took them, untrained, as ONNX graphs: image {@code
 * [samples, 1, 28, 28]} in, scores {@code [samples, 10]} out.
 */
public final class LeNet {
  private static final int CLASSES = 10;
  private static final int SIDE = 28;
  private static final int OPSET = 13;

  private final List<Node> nodes = new ArrayList<>();
  private final Map<String, Constant> constants = new LinkedHashMap<>();
  private final SplittableRandom random;
  private String last = "image";

  private LeNet(long seed) {
    random = new SplittableRandom(seed);
  }

  /** LeNet-300-100: linear layers of 300, 100 and 10 outputs; 266,610 parameters. */
  public static Graph fullyConnected(long seed) {
    LeNet net = new LeNet(seed);
    net.node("flatten", "Flatten", List.of(), Map.of());
    net.linear("ip1", SIDE * SIDE, 300);
    net.node("relu1", "Relu", List.of(), Map.of());
    net.linear("ip2", 300, 100);
    net.node("relu2", "Relu", List.of(), Map.of());
    net.linear("ip3", 100, CLASSES);
    return net.graph("lenet-300-100");
  }

  /**
   * LeNet-5 as Caffe has it: convolutions 5 x 5 of 20 and 50 channels, each with max pooling, and
   * linear layers of 500 and 10 outputs; 431,080 parameters.
   */
  public static Graph convolutional(long seed) {
    LeNet net = new LeNet(seed);
    net.convolution("conv1", 1, 20);
    net.pool("pool1");
    net.convolution("conv2", 20, 50);
    net.pool("pool2");
    net.node("flatten", "Flatten", List.of(), Map.of());
    net.linear("ip1", 50 * 4 * 4, 500);
    net.node("relu1", "Relu", List.of(), Map.of());
    net.linear("ip2", 500, CLASSES);
    return net.graph("lenet-5");
  }

  private void convolution(String name, int in, int out) {
    int kernel = 5;
    weights(name, in * kernel * kernel, out, out, in, kernel, kernel);
    node(
        name,
        "Conv",
        List.of(name + ".weight", name + ".bias"),
        Map.of("kernel_shape", new Attribute.Ints(List.of((long) kernel, (long) kernel))));
  }

  private void pool(String name) {
    Attribute two = new Attribute.Ints(List.of(2L, 2L));
    node(name, "MaxPool", List.of(), Map.of("kernel_shape", two, "strides", two));
  }

  private void linear(String name, int in, int out) {
    weights(name, in, out, out, in);
    node(
        name,
        "Gemm",
        List.of(name + ".weight", name + ".bias"),
        Map.of("transB", new Attribute.Int(1)));
  }

  private void weights(String name, int inputs, int out, long... extents) {
    float[] values = new float[inputs * out];
    // keeps the variance through a ReLU (He et al., arXiv 1502.01852)
    double deviation = Math.sqrt(2.0 / inputs);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    constants.put(name + ".weight", new Constant.Plain(Tensor.of(values, extents)));
    constants.put(name + ".bias", new Constant.Plain(Tensor.of(new float[out], out)));
  }

  private void node(
      String name, String type, List<String> constantInputs, Map<String, Attribute> attributes) {
    List<String> inputs = new ArrayList<>(List.of(last));
    inputs.addAll(constantInputs);
    nodes.add(new Node(name, Node.ONNX, type, inputs, List.of(name + ".y"), attributes));
    last = name + ".y";
  }

  private Graph graph(String name) {
    Dim samples = Dim.symbol("samples");
    return new Graph(
        name,
        OPSET,
        List.of(
            new ValueInfo(
                "image", DType.F32, List.of(samples, Dim.of(1), Dim.of(SIDE), Dim.of(SIDE)))),
        List.of(new ValueInfo(last, DType.F32, List.of(samples, Dim.of(CLASSES)))),
        nodes,
        constants);
  }
}
