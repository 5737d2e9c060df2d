package dev.filigree.kernel.window;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Convolution of {@code [batch, channels, spatial...]} with weights {@code [outputs, channels /
 * group, kernel...]} and an optional bias. Products are summed in double.
 */
public final class Conv implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType w = inputs.required(1);
    if (x.dtype() != w.dtype() || !x.dtype().isFloating()) {
      throw node.problem("convolves " + x + " with " + w, "pass floats of one type");
    }
    return List.of(ValueType.of(x.dtype(), dims(node, x, w, inputs.type(2))));
  }

  /** Extents of the result of a convolution. */
  static List<Dim> dims(Node node, ValueType x, ValueType w, Optional<ValueType> bias) {
    long[] kernel = kernel(node, x, w);
    long group = group(node);
    boolean channelsFit =
        !x.dim(1).isKnown()
            || !w.dim(1).isKnown()
            || x.dim(1).equals(w.dim(1).times(Dim.of(group)));
    boolean outputsFit = !w.dim(0).isKnown() || w.dim(0).value() % group == 0;
    if (!channelsFit || !outputsFit) {
      throw node.problem(
          "convolves " + x + " with " + w + " in " + group + " groups",
          "the channels must be those of the weights times the groups, and divide the outputs");
    }
    bias.ifPresent(
        b -> {
          if (b.rank() != 1 || b.dim(0).isKnown() && !b.dim(0).equals(w.dim(0))) {
            throw node.problem("adds the bias " + b, "give one number for each output");
          }
        });
    List<Dim> dims = new ArrayList<>(List.of(x.dim(0), w.dim(0)));
    dims.addAll(Window.outputs(node, kernel, x));
    return dims;
  }

  /** Number of groups. */
  public static long group(Node node) {
    long group = node.intAttribute("group", 1);
    if (group < 1 || group > Integer.MAX_VALUE) {
      throw node.problem("has " + group + " groups", "use 1 or more");
    }
    return group;
  }

  /** Extents of the kernel, which the weights have and the attribute may repeat. */
  public static long[] kernel(Node node, ValueType x, ValueType w) {
    Window.requireSpatial(node, x);
    if (w.rank() != x.rank()) {
      throw node.problem("convolves " + x + " with " + w, "give both the same number of axes");
    }
    long[] kernel = new long[w.rank() - 2];
    for (int axis = 0; axis < kernel.length; axis++) {
      if (!w.dim(axis + 2).isKnown()) {
        throw new DataDependentException(node, "kernel");
      }
      kernel[axis] = w.dim(axis + 2).value();
    }
    List<Long> declared = node.intsAttribute("kernel_shape").orElse(List.of());
    if (!declared.isEmpty() && !declared.equals(Arrays.stream(kernel).boxed().toList())) {
      throw node.problem(
          "declares the kernel " + declared + " for weights " + w, "export the graph again");
    }
    return kernel;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor w = binding.input(1);
    Tensor bias = binding.has(2) ? binding.input(2) : null;
    Tensor y = binding.output();
    if (x.dtype() == DType.F32) {
      return new ConvOfFloats(binding.node(), x, w, bias, y);
    }
    return walk(
        binding.node(),
        x,
        w,
        (windows, channel, filter, output, channels, size, taps) -> {
          double[] sum = new double[1];
          long plane = taps[0];
          windows.forEachPosition(
              position -> {
                sum[0] = bias == null ? 0 : bias.getDouble(output);
                for (long c = 0; c < channels; c++) {
                  long at = channel + c * size;
                  long from = filter + c * plane;
                  windows.forEachElement(
                      (element, tap) ->
                          sum[0] += x.getDouble(at + element) * w.getDouble(from + tap));
                }
                y.setDouble(taps[1] + position, sum[0]);
              });
        });
  }

  /** Computes one channel of the output. */
  @FunctionalInterface
  interface Channel {
    /**
     * @param channel element where the group's first input channel starts
     * @param filter element where the output's weights start
     * @param output channel of the output
     * @param channels of the group
     * @param size elements of an input channel
     * @param taps elements of the window, and where the output's channel starts
     */
    void compute(
        Windows windows,
        long channel,
        long filter,
        long output,
        long channels,
        long size,
        long[] taps);
  }

  /** How the weights slide over the input. */
  static Window window(Node node, Tensor x, Tensor w) {
    ValueType type = ValueType.of(x.dtype(), x.shape());
    return Window.of(node, kernel(node, type, ValueType.of(w.dtype(), w.shape())), type);
  }

  /** A kernel that computes the output channel by channel. */
  static Kernel walk(Node node, Tensor x, Tensor w, Channel each) {
    Window window = window(node, x, w);
    long group = group(node);
    long outputs = w.shape().extent(0);
    long channels = w.shape().extent(1);
    long size = Elements.product(x.shape(), 2, x.shape().rank());
    long[] extents = Arrays.copyOfRange(x.shape().extents(), 2, x.shape().rank());
    Windows windows = new Windows(window, extents);
    long[] taps = {window.size(), 0};
    return () -> {
      for (long n = 0; n < x.shape().extent(0); n++) {
        for (long o = 0; o < outputs; o++) {
          long first = n * channels * group + o / (outputs / group) * channels;
          taps[1] = (n * outputs + o) * window.positions();
          each.compute(windows, first * size, o * channels * taps[0], o, channels, size, taps);
        }
      }
    };
  }
}
