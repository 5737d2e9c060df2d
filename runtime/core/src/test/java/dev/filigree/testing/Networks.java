package dev.filigree.testing;

import dev.filigree.DType;
import dev.filigree.Tensor;
import java.nio.file.Path;
import java.util.Map;

/** Writes the networks of the tests as ONNX files, with seeded weights. */
public final class Networks {
  /** Features in front of LeNet's last layer. */
  public static final int LENET_FEATURES = 84;

  private final Samples samples;
  private final DType dtype;
  private final boolean sparse;
  private final OnnxModel model = new OnnxModel(13);
  private int constants;

  private Networks(long seed, DType dtype, boolean sparse) {
    this.samples = new Samples(seed);
    this.dtype = dtype;
    this.sparse = sparse;
  }

  /** Weights that keep the size of activations (He initialisation). */
  private String weights(long... extents) {
    int count = 1;
    for (long extent : extents) {
      count *= (int) extent;
    }
    float[] values = samples.normal(count);
    double scale = Math.sqrt(2.0 * extents[0] / count);
    for (int i = 0; i < count; i++) {
      values[i] *= (float) scale;
      if (sparse && i % 5 < 3) {
        values[i] = 0;
      }
    }
    return constant(Tensor.of(values, extents));
  }

  private String constant(Tensor tensor) {
    String name = "w" + constants++;
    Tensor stored = Tensor.zeros(dtype, tensor.shape());
    for (long i = 0; i < tensor.elements(); i++) {
      stored.setDouble(i, tensor.getDouble(i));
    }
    if (sparse) {
      model.sparseInitializer(name, stored);
    } else {
      model.initializer(name, stored);
    }
    return name;
  }

  private String node(String type, Map<String, long[]> attributes, String... inputs) {
    String output = "v" + constants++;
    model.node(type, attributes, output, inputs);
    return output;
  }

  private String convolution(String x, int out, int in, int kernel, int stride, int pad) {
    Map<String, long[]> attributes =
        Map.of(
            "kernel_shape", new long[] {kernel, kernel},
            "strides", new long[] {stride, stride},
            "pads", new long[] {pad, pad, pad, pad});
    return node("Conv", attributes, x, weights(out, in, kernel, kernel));
  }

  /** Batch normalisation with statistics as training leaves them: near, not at, 0 and 1. */
  private String normalized(String x, int channels) {
    float[][] rows = new float[4][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = samples.normal(channels);
      for (int c = 0; c < channels; c++) {
        rows[i][c] = (i == 0 || i == 3 ? 1 : 0) + 0.1f * Math.abs(rows[i][c]);
      }
    }
    return node(
        "BatchNormalization",
        Map.of(),
        x,
        constant(Tensor.of(rows[0], channels)),
        constant(Tensor.of(rows[1], channels)),
        constant(Tensor.of(rows[2], channels)),
        constant(Tensor.of(rows[3], channels)));
  }

  private String relu(String x) {
    return node("Relu", Map.of(), x);
  }

  private String linear(String x, int out, int in) {
    return node("MatMul", Map.of(), x, weights(in, out));
  }

  /**
   * LeNet-5 with rectifiers and maximum pools, {@code [n, 1, 28, 28]} to {@code [n, 10]}.
   *
   * @param last layer {@code [84, 10]}, or null to end with the features in front of it
   */
  public static Path leNet(Path file, DType dtype, boolean sparse, float[] last) {
    Networks net = new Networks(11, dtype, sparse);
    net.model.input("x", dtype, "n", "1", "28", "28");
    Map<String, long[]> pool =
        Map.of("kernel_shape", new long[] {2, 2}, "strides", new long[] {2, 2});
    String x = net.node("MaxPool", pool, net.relu(net.convolution("x", 6, 1, 5, 1, 2)));
    x = net.node("MaxPool", pool, net.relu(net.convolution(x, 16, 6, 5, 1, 0)));
    x = net.node("Flatten", Map.of(), x);
    x = net.relu(net.linear(x, 120, 400));
    x = net.relu(net.linear(x, LENET_FEATURES, 120));
    if (last != null) {
      x = net.node("MatMul", Map.of(), x, net.constant(Tensor.of(last, LENET_FEATURES, 10)));
    }
    net.model.node("Identity", "y", x);
    net.model.output("y", dtype, "n", last == null ? Integer.toString(LENET_FEATURES) : "10");
    return net.model.write(file);
  }

  /** ResNet-20 for CIFAR (He et al., 2015), {@code [n, 3, 32, 32]} to {@code [n, 10]}. */
  public static Path resNet20(Path file, DType dtype) {
    Networks net = new Networks(20, dtype, false);
    net.model.input("x", dtype, "n", "3", "32", "32");
    String x = net.relu(net.normalized(net.convolution("x", 16, 3, 3, 1, 1), 16));
    int channels = 16;
    for (int stage = 0; stage < 3; stage++) {
      for (int block = 0; block < 3; block++) {
        int out = 16 << stage;
        int stride = out == channels ? 1 : 2;
        String y = net.relu(net.normalized(net.convolution(x, out, channels, 3, stride, 1), out));
        y = net.normalized(net.convolution(y, out, out, 3, 1, 1), out);
        String same =
            stride == 1 ? x : net.normalized(net.convolution(x, out, channels, 1, 2, 0), out);
        x = net.relu(net.node("Add", Map.of(), y, same));
        channels = out;
      }
    }
    x = net.node("Flatten", Map.of(), net.node("GlobalAveragePool", Map.of(), x));
    net.model.node("Identity", "y", net.linear(x, 10, 64));
    net.model.output("y", dtype, "n", "10");
    return net.model.write(file);
  }
}
