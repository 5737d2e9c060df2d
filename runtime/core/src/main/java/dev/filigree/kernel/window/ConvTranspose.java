package dev.filigree.kernel.window;

import dev.filigree.Shape;
import dev.filigree.Tensor;
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

/**
 * The transpose of a convolution: every input element adds the weights {@code [channels, outputs /
 * group, kernel...]}, scaled by it, to the output.
 */
public final class ConvTranspose implements Operator {
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
    if (x.dim(1).isKnown() && w.dim(0).isKnown() && !x.dim(1).equals(w.dim(0))
        || w.dim(0).isKnown() && w.dim(0).value() % Conv.group(node) != 0) {
      throw node.problem(
          "convolves " + x + " with " + w,
          "the channels must be the weights' first extent, a multiple of the groups");
    }
    long[] kernel = Conv.kernel(node, x, w);
    Dim outputs = w.dim(1).times(Dim.of(Conv.group(node)));
    inputs
        .type(2)
        .filter(b -> b.rank() != 1 || b.dim(0).isKnown() && !b.dim(0).equals(outputs))
        .ifPresent(
            b -> {
              throw node.problem("adds the bias " + b, "give one number for each output");
            });
    List<Dim> dims = new ArrayList<>(List.of(x.dim(0), outputs));
    for (int axis = 0; axis < kernel.length; axis++) {
      dims.add(extent(node, kernel, axis, x.dim(axis + 2)));
    }
    return List.of(ValueType.of(x.dtype(), dims));
  }

  private static long numbers(Node node, String attribute, int axis, int rank) {
    List<Long> given = node.intsAttribute(attribute).orElse(List.of());
    if (given.isEmpty()) {
      return 0;
    }
    // some exporters repeat the batch and channel axes
    int skipped = given.size() == rank + 2 ? 2 : 0;
    if (given.size() != rank + skipped) {
      throw node.problem("has the " + attribute + " " + given, "give one for each spatial axis");
    }
    long value = given.get(axis + skipped);
    if (value < 0 || value > Integer.MAX_VALUE) {
      throw node.problem("has the " + attribute + " " + given, "use 0 to 2^31 - 1");
    }
    return value;
  }

  private static Dim extent(Node node, long[] kernel, int axis, Dim extent) {
    int rank = kernel.length;
    if (node.attributes().containsKey("output_shape")) {
      return Dim.of(numbers(node, "output_shape", axis, rank));
    }
    long stride = Window.positive(node, "strides", rank)[axis];
    if (node.textAttribute("auto_pad", "NOTSET").startsWith("SAME")) {
      return extent.times(Dim.of(stride));
    }
    return extent
        .minus(Dim.ONE)
        .times(Dim.of(stride))
        .plus(Dim.of(unstrided(node, kernel, axis) - padding(node, axis, rank)));
  }

  /** Extent of the output for a single input element, without padding. */
  private static long unstrided(Node node, long[] kernel, int axis) {
    int rank = kernel.length;
    return numbers(node, "output_padding", axis, rank)
        + (kernel[axis] - 1) * Window.positive(node, "dilations", rank)[axis]
        + 1;
  }

  private static long padding(Node node, int axis, int rank) {
    long[] pads = Window.pads(node, rank);
    return node.textAttribute("auto_pad", "NOTSET").equals("VALID")
        ? 0
        : pads[axis] + pads[axis + rank];
  }

  /**
   * The window as a convolution back from the result would have it.
   *
   * @param x type of the input
   * @param w type of the weights
   * @param y type of the result
   */
  public static Window window(Node node, ValueType x, ValueType w, ValueType y) {
    long[] kernel = Conv.kernel(node, x, w);
    int rank = kernel.length;
    long[] strides = Window.positive(node, "strides", rank);
    long[] before = new long[rank];
    String auto = node.textAttribute("auto_pad", "NOTSET");
    boolean computed = auto.startsWith("SAME") || node.attributes().containsKey("output_shape");
    for (int axis = 0; axis < rank; axis++) {
      if (computed) {
        long full = (x.dim(axis + 2).value() - 1) * strides[axis] + unstrided(node, kernel, axis);
        long total = Math.max(0, full - y.dim(axis + 2).value());
        before[axis] = auto.equals("SAME_UPPER") ? total / 2 : total - total / 2;
      } else if (!auto.equals("VALID")) {
        before[axis] = Window.pads(node, rank)[axis];
      }
    }
    long[] outputs = new long[rank];
    Arrays.setAll(outputs, axis -> y.dim(axis + 2).value());
    return new Window(kernel, strides, Window.positive(node, "dilations", rank), before, outputs);
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor w = binding.input(1);
    Tensor bias = binding.has(2) ? binding.input(2) : null;
    Tensor y = binding.output();
    Window window =
        window(
            node,
            ValueType.of(x.dtype(), x.shape()),
            ValueType.of(w.dtype(), w.shape()),
            ValueType.of(y.dtype(), y.shape()));
    int rank = window.rank();
    long[] in = Arrays.copyOfRange(x.shape().extents(), 2, rank + 2);
    long[] out = Arrays.copyOfRange(y.shape().extents(), 2, rank + 2);
    long group = Conv.group(node);
    long channels = w.shape().extent(0) / group;
    long outputs = w.shape().extent(1);
    long inSize = Elements.product(x.shape(), 2, rank + 2);
    int outSize = Math.toIntExact(Elements.product(y.shape(), 2, rank + 2));
    long taps = Elements.product(w.shape(), 2, rank + 2);
    double[] plane = new double[outSize];
    Position element = new Position(in);
    Position tap = new Position(window.kernel());
    long[] outSteps = Shape.of(out).strides();
    return () -> {
      for (long n = 0; n < x.shape().extent(0); n++) {
        for (long o = 0; o < outputs * group; o++) {
          Arrays.fill(plane, bias == null ? 0 : bias.getDouble(o));
          long first = o / outputs * channels;
          for (long c = first; c < first + channels; c++) {
            long at = (n * channels * group + c) * inSize;
            long filter = (c * outputs + o % outputs) * taps;
            element.reset();
            for (long i = 0; i < inSize; i++) {
              double value = x.getDouble(at + i);
              tap.reset();
              for (long t = 0; t < taps; t++) {
                long target = target(window, element, tap, out, outSteps);
                if (target >= 0) {
                  plane[(int) target] += value * w.getDouble(filter + t);
                }
                tap.advance();
              }
              element.advance();
            }
          }
          for (int i = 0; i < outSize; i++) {
            y.setDouble((n * outputs * group + o) * outSize + i, plane[i]);
          }
        }
      }
    };
  }

  /** The element of the output that an input element reaches through a tap, or -1 outside. */
  private static long target(
      Window window, Position element, Position tap, long[] out, long[] steps) {
    long target = 0;
    for (int axis = 0; axis < out.length; axis++) {
      long at =
          element.at(axis) * window.strides()[axis]
              + tap.at(axis) * window.dilations()[axis]
              - window.before()[axis];
      if (at < 0 || at >= out[axis]) {
        return -1;
      }
      target += at * steps[axis];
    }
    return target;
  }
}
