package dev.filigree.kernel.norm;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;

/** Normalises along axes without parameters. */
public enum AxisNormalization implements Operator {
  /** Divides by the 1- or 2-norm along an axis (LpNormalization). */
  LP {
    @Override
    boolean[] axes(Node node, int rank) {
      long p = node.intAttribute("p", 2);
      if (p != 1 && p != 2) {
        throw node.problem("divides by the " + p + "-norm", "use the 1- or 2-norm");
      }
      boolean[] axes = new boolean[rank];
      axes[Axes.normalise(node, node.intAttribute("axis", -1), rank)] = true;
      return axes;
    }

    @Override
    void line(Node node, Tensor x, Tensor y, long start, Strided walk, long count) {
      boolean absolute = node.intAttribute("p", 2) == 1;
      double[] sum = new double[1];
      walk.forEach(
          (i, at) -> {
            double value = x.getDouble(start + at[0]);
            sum[0] += absolute ? Math.abs(value) : value * value;
          });
      double norm = absolute ? sum[0] : Math.sqrt(sum[0]);
      walk.forEach(
          (i, at) -> y.setDouble(start + at[0], norm == 0 ? 0 : x.getDouble(start + at[0]) / norm));
    }
  },

  /** Subtracts the mean and divides by the standard deviation (MeanVarianceNormalization). */
  MEAN_VARIANCE {
    @Override
    boolean[] axes(Node node, int rank) {
      boolean[] axes = new boolean[rank];
      for (long axis : node.intsAttribute("axes").orElse(List.of(0L, 2L, 3L))) {
        axes[Axes.normalise(node, axis, rank)] = true;
      }
      return axes;
    }

    @Override
    void line(Node node, Tensor x, Tensor y, long start, Strided walk, long count) {
      double[] sums = new double[2];
      walk.forEach((i, at) -> sums[0] += x.getDouble(start + at[0]));
      double mean = sums[0] / count;
      walk.forEach(
          (i, at) -> {
            double difference = x.getDouble(start + at[0]) - mean;
            sums[1] += difference * difference;
          });
      double deviation = Math.sqrt(sums[1] / count) + TINY;
      walk.forEach(
          (i, at) -> y.setDouble(start + at[0], (x.getDouble(start + at[0]) - mean) / deviation));
    }
  };

  /** Keeps constant lines from being divided by 0, as ONNX's function has it. */
  private static final double TINY = 1e-9;

  abstract boolean[] axes(Node node, int rank);

  abstract void line(Node node, Tensor x, Tensor y, long start, Strided walk, long count);

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating()) {
      throw node.problem("normalises " + x, "pass floats");
    }
    axes(node, x.rank());
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    boolean[] axes = axes(binding.node(), x.shape().rank());
    long[] strides = x.shape().strides();
    List<Long> keptExtents = new ArrayList<>();
    List<Long> keptStrides = new ArrayList<>();
    List<Long> foldedExtents = new ArrayList<>();
    List<Long> foldedStrides = new ArrayList<>();
    for (int axis = 0; axis < axes.length; axis++) {
      (axes[axis] ? foldedExtents : keptExtents).add(x.shape().extent(axis));
      (axes[axis] ? foldedStrides : keptStrides).add(strides[axis]);
    }
    Strided lines = Strided.of(keptExtents, keptStrides);
    Strided line = Strided.of(foldedExtents, foldedStrides);
    long count = foldedExtents.stream().reduce(1L, (a, b) -> a * b);
    Tensor y = binding.output();
    Strided.Body body = (i, at) -> line(binding.node(), x, y, at[0], line, count);
    return () -> lines.forEach(body);
  }
}
