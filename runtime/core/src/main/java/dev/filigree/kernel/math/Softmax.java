package dev.filigree.kernel.math;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
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

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Shape shape = x.shape();
    if (shape.rank() == 0) {
      return () -> y.setDouble(0, log ? 0 : 1);
    }
    int axis = axis(binding.node(), binding.opset(), shape.rank());
    long inner = 1;
    for (int i = axis + 1; i < shape.rank(); i++) {
      inner *= shape.extent(i);
    }
    boolean together = binding.opset() < 13;
    long count = together ? shape.extent(axis) * inner : shape.extent(axis);
    long step = together ? 1 : inner;
    long lanes = together ? 1 : inner;
    long outer = shape.elements() == 0 ? 0 : shape.elements() / (count * lanes);
    return () -> {
      for (long o = 0; o < outer; o++) {
        for (long lane = 0; lane < lanes; lane++) {
          normalise(x, y, o * count * lanes + lane, count, step);
        }
      }
    };
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
    for (long i = 0; i < count; i++) {
      double shifted = x.getDouble(start + i * step) - max;
      y.setDouble(start + i * step, log ? shifted - Math.log(sum) : Math.exp(shifted) / sum);
    }
  }
}
