package dev.filigree.kernel.math;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Lines;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Softmax, and its logarithm. Before operator set 13 the axes from the given one to the last are
 * normalised together and the default axis is 1; from then on the one axis alone, by default the
 * last.
 *
 * @param log whether the result is the logarithm
 */
public record Softmax(boolean log) implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating()) {
      throw node.unsupported("reads " + x, "pass a floating-point tensor");
    }
    if (x.rank() > 0) {
      axis(node, inputs.opset(), x.rank());
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  /** The axis counted from the front. */
  public static int axis(Node node, int opset, int rank) {
    return Axes.normalise(
        node, node.intAttribute("axis", opset < 13 ? Math.min(1, rank - 1) : -1), rank);
  }

  /** Whether an operator set normalises along the axis alone. */
  public static boolean isOfOneAxis(int opset) {
    return opset >= 13;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Shape shape = x.shape();
    if (shape.rank() == 0) {
      return () -> y.setDouble(0, log ? 0 : 1);
    }
    Lines lines = lines(binding.node(), binding.opset(), shape);
    return () -> {
      for (long line = 0; line < lines.count(); line++) {
        normalise(x, y, lines.start(line), lines.length(), lines.step());
      }
    };
  }

  /** The lines that are normalised: one axis, or before operator set 13 all from it on together. */
  static Lines lines(Node node, int opset, Shape shape) {
    int axis = axis(node, opset, shape.rank());
    return isOfOneAxis(opset)
        ? Lines.of(shape, axis)
        : new Lines(
            Elements.product(shape, 0, axis), Elements.product(shape, axis, shape.rank()), 1);
  }

  private void normalise(Tensor x, Tensor y, long start, long count, long step) {
    double max = Double.NEGATIVE_INFINITY;
    for (long i = 0; i < count; i++) {
      max = Math.max(max, x.getDouble(start + i * step));
    }
    double sum = 0;
    for (long i = 0; i < count; i++) {
      sum += Math.exp(x.getDouble(start + i * step) - max);
    }
    double logarithm = Math.log(sum);
    for (long i = 0; i < count; i++) {
      double shifted = x.getDouble(start + i * step) - max;
      y.setDouble(start + i * step, log ? shifted - logarithm : Math.exp(shifted) / sum);
    }
  }
}
