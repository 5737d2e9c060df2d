package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Reductions over some axes, all of them by default. Accumulation is in double; the reduction of
 * nothing is the function's neutral element.
 */
public enum Reduce implements Operator {
  MEAN(0, 18) {
    @Override
    double combine(double sum, double x) {
      return sum + x;
    }

    @Override
    double finish(double sum, long count) {
      return sum / count;
    }
  },
  SUM(0, 13) {
    @Override
    double combine(double sum, double x) {
      return sum + x;
    }
  },
  MAX(Double.NEGATIVE_INFINITY, 18) {
    @Override
    double combine(double max, double x) {
      return Math.max(max, x);
    }
  },
  MIN(Double.POSITIVE_INFINITY, 18) {
    @Override
    double combine(double min, double x) {
      return Math.min(min, x);
    }
  },
  PROD(1, 18) {
    @Override
    double combine(double product, double x) {
      return product * x;
    }
  };

  private final double neutral;
  private final int axesBecameInput;

  Reduce(double neutral, int axesBecameInput) {
    this.neutral = neutral;
    this.axesBecameInput = axesBecameInput;
  }

  abstract double combine(double accumulated, double x);

  double finish(double accumulated, long count) {
    return accumulated;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.dtype() == DType.BOOL) {
      throw node.unsupported("reduces " + x, "pass numbers");
    }
    boolean[] reduced = reduced(node, inputs);
    boolean keep = node.intAttribute("keepdims", 1) != 0;
    List<Dim> dims = new ArrayList<>();
    for (int axis = 0; axis < x.rank(); axis++) {
      if (!reduced[axis]) {
        dims.add(x.dim(axis));
      } else if (keep) {
        dims.add(Dim.ONE);
      }
    }
    List<Dim> content = null;
    if (this == PROD && x.content() != null && x.rank() == 1 && reduced[0]) {
      content = List.of(Dim.product(x.content()));
    }
    return List.of(new ValueType(x.dtype(), dims, content));
  }

  private boolean[] reduced(Node node, Inputs inputs) {
    int rank = inputs.required(0).rank();
    Optional<List<Long>> axes =
        Axes.of(node, inputs, "axes", inputs.opset() >= axesBecameInput ? 1 : -1);
    boolean[] reduced = new boolean[rank];
    if (axes.isEmpty() || axes.get().isEmpty()) {
      Arrays.fill(reduced, node.intAttribute("noop_with_empty_axes", 0) == 0);
      return reduced;
    }
    for (long axis : axes.get()) {
      reduced[Axes.normalise(node, axis, rank)] = true;
    }
    return reduced;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    boolean[] reduced = reduced(binding.node(), Axes.known(binding));
    long[] strides = x.shape().strides();
    List<Long> keptExtents = new ArrayList<>();
    List<Long> keptStrides = new ArrayList<>();
    List<Long> foldedExtents = new ArrayList<>();
    List<Long> foldedStrides = new ArrayList<>();
    for (int axis = 0; axis < reduced.length; axis++) {
      (reduced[axis] ? foldedExtents : keptExtents).add(x.shape().extent(axis));
      (reduced[axis] ? foldedStrides : keptStrides).add(strides[axis]);
    }
    Strided kept = walk(keptExtents, keptStrides);
    Strided folded = walk(foldedExtents, foldedStrides);
    long count = foldedExtents.stream().reduce(1L, (a, b) -> a * b);
    double[] accumulator = new double[1];
    long[] start = new long[1];
    Strided.Body accumulate =
        (i, at) -> accumulator[0] = combine(accumulator[0], x.getDouble(start[0] + at[0]));
    Strided.Body each =
        (i, at) -> {
          accumulator[0] = neutral;
          start[0] = at[0];
          folded.forEach(accumulate);
          y.setDouble(i, finish(accumulator[0], count));
        };
    return () -> kept.forEach(each);
  }

  private static Strided walk(List<Long> extents, List<Long> strides) {
    return new Strided(
        Shape.of(extents.stream().mapToLong(Long::longValue).toArray()),
        new long[][] {strides.stream().mapToLong(Long::longValue).toArray()},
        new long[1]);
  }
}
