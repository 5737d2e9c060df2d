package dev.filigree.kernel.window;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.quant.ZeroPoints;
import java.util.List;
import java.util.Optional;

/**
 * Convolution of 8-bit integers into i32. The input has one zero point, the weights one or one for
 * each output. Padding stands for the zero point, so it adds nothing.
 */
public final class ConvInteger implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType w = inputs.required(1);
    if (x.dtype().bytes() != 1 || w.dtype().bytes() != 1) {
      throw node.problem("convolves " + x + " with " + w, "pass i8 or u8 tensors");
    }
    ZeroPoints.require(node, inputs.type(2), x, Dim.ONE);
    ZeroPoints.require(node, inputs.type(3), w, w.dim(0));
    return List.of(ValueType.of(DType.I32, Conv.dims(node, x, w, Optional.empty())));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    return products(
        binding.node(),
        binding.input(0),
        binding.input(1),
        binding.has(2) ? binding.input(2) : null,
        binding.has(3) ? binding.input(3) : null,
        (at, output, sum) -> y.setLong(at, sum));
  }

  /** Takes a sum of products. */
  @FunctionalInterface
  interface Sink {
    void accept(long at, long output, long sum);
  }

  /** A kernel that sums the products of codes without their zero points. */
  static Kernel products(Node node, Tensor x, Tensor w, Tensor zeroX, Tensor zeroW, Sink sink) {
    Window window = Conv.window(node, x, w);
    if (!IntegerSums.fit(window, x, w.shape().extent(1))) {
      return eachProduct(node, x, w, zeroX, zeroW, sink);
    }
    IntegerSums sums = new IntegerSums(window, x, zeroX, w.shape().extent(1));
    return Conv.walk(
        node,
        x,
        w,
        (windows, channel, filter, output, channels, size, taps) -> {
          int[] made = sums.of(channel, output, w, filter, zeroW);
          for (int position = 0; position < made.length; position++) {
            sink.accept(taps[1] + position, output, made[position]);
          }
        });
  }

  /** The same of windows over any number of axes, product by product. */
  static Kernel eachProduct(Node node, Tensor x, Tensor w, Tensor zeroX, Tensor zeroW, Sink sink) {
    return Conv.walk(
        node,
        x,
        w,
        (windows, channel, filter, output, channels, size, taps) -> {
          long zx = ZeroPoints.at(zeroX, 0);
          long zw = ZeroPoints.at(zeroW, output);
          long[] sum = new long[1];
          windows.forEachPosition(
              position -> {
                sum[0] = 0;
                for (long c = 0; c < channels; c++) {
                  long at = channel + c * size;
                  long from = filter + c * taps[0];
                  windows.forEachElement(
                      (element, tap) ->
                          sum[0] += (x.getLong(at + element) - zx) * (w.getLong(from + tap) - zw));
                }
                sink.accept(taps[1] + position, output, sum[0]);
              });
        });
  }
}
