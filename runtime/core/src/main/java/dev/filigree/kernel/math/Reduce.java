package dev.filigree.kernel.math;

import dev.filigree.DType;
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
import java.util.function.DoubleBinaryOperator;
import java.util.function.LongBinaryOperator;

/**
 * Reductions over some axes, all of them by default. Floats accumulate in double, integers in long;
 * roots and logarithms of integers lose their fractions, as ONNX Runtime's do. The reduction of
 * nothing is the function's neutral element, for the largest of nothing the smallest number of the
 * type.
 */
public enum Reduce implements Operator {
  MEAN(18, 0, Double::sum, Long::sum) {
    @Override
    double finish(double sum, long count) {
      return sum / count;
    }

    @Override
    long finish(long sum, long count) {
      return count == 0 ? 0 : sum / count;
    }
  },
  SUM(13, 0, Double::sum, Long::sum),
  MAX(18, Double.NEGATIVE_INFINITY, Math::max, Math::max),
  MIN(18, Double.POSITIVE_INFINITY, Math::min, Math::min),
  PROD(18, 1, (product, x) -> product * x, (product, x) -> product * x),
  L1(18, 0, (sum, x) -> sum + Math.abs(x), (sum, x) -> sum + Math.abs(x)),
  SUM_SQUARE(18, 0, (sum, x) -> sum + x * x, (sum, x) -> sum + x * x),
  L2(18, 0, (sum, x) -> sum + x * x, (sum, x) -> sum + x * x) {
    @Override
    double finish(double squares, long count) {
      return Math.sqrt(squares);
    }

    @Override
    long finish(long squares, long count) {
      return (long) Math.sqrt(squares);
    }
  },
  LOG_SUM(18, 0, Double::sum, Long::sum) {
    @Override
    double finish(double sum, long count) {
      return Math.log(sum);
    }

    @Override
    long finish(long sum, long count) {
      return (long) Math.log(sum);
    }
  },
  LOG_SUM_EXP(18, Double.NEGATIVE_INFINITY, Reduce::logAddExp, null);

  private final int axesBecameInput;
  private final double neutral;
  private final DoubleBinaryOperator floats;
  private final LongBinaryOperator integers;

  /**
   * @param axesBecameInput operator set from which the axes are an input
   * @param integers null if there is no such reduction of integers
   */
  Reduce(
      int axesBecameInput,
      double neutral,
      DoubleBinaryOperator floats,
      LongBinaryOperator integers) {
    this.axesBecameInput = axesBecameInput;
    this.neutral = neutral;
    this.floats = floats;
    this.integers = integers;
  }

  /** {@code log(exp(a) + exp(b))} without the overflow. */
  private static double logAddExp(double a, double b) {
    double max = Math.max(a, b);
    return Double.isInfinite(max) ? max : max + Math.log1p(Math.exp(Math.min(a, b) - max));
  }

  double finish(double accumulated, long count) {
    return accumulated;
  }

  long finish(long accumulated, long count) {
    return accumulated;
  }

  /** The result; the logarithm of nothing is the least number of the type. */
  private long finished(long accumulated, long count, DType dtype) {
    long result = finish(accumulated, count);
    return this == LOG_SUM ? Math.max(result, dtype.least()) : result;
  }

  private long neutral(DType dtype) {
    return switch (this) {
      case MAX -> dtype.least();
      case MIN -> dtype.greatest();
      default -> (long) neutral;
    };
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    boolean ofBools = this == MAX || this == MIN;
    if (x.dtype() == DType.BOOL ? !ofBools : x.dtype().isInteger() && integers == null) {
      throw node.unsupported("reduces " + x, "pass floating-point numbers");
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

  /** Whether a node folds each axis of its input. */
  public boolean[] reduced(Node node, Inputs inputs) {
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
    Strided kept = Strided.of(keptExtents, keptStrides);
    Strided folded = Strided.of(foldedExtents, foldedStrides);
    long count = foldedExtents.stream().reduce(1L, (a, b) -> a * b);
    Strided.Body each =
        x.dtype().isFloating() ? floats(x, y, folded, count) : integers(x, y, folded, count);
    return () -> kept.forEach(each);
  }

  private Strided.Body floats(Tensor x, Tensor y, Strided folded, long count) {
    double[] accumulator = new double[1];
    long[] start = new long[1];
    Strided.Body accumulate =
        (i, at) ->
            accumulator[0] = floats.applyAsDouble(accumulator[0], x.getDouble(start[0] + at[0]));
    return (i, at) -> {
      accumulator[0] = neutral;
      start[0] = at[0];
      folded.forEach(accumulate);
      y.setDouble(i, finish(accumulator[0], count));
    };
  }

  private Strided.Body integers(Tensor x, Tensor y, Strided folded, long count) {
    long[] accumulator = new long[1];
    long[] start = new long[1];
    long empty = neutral(x.dtype());
    Strided.Body accumulate =
        (i, at) ->
            accumulator[0] = integers.applyAsLong(accumulator[0], x.getLong(start[0] + at[0]));
    return (i, at) -> {
      accumulator[0] = empty;
      start[0] = at[0];
      folded.forEach(accumulate);
      y.setLong(i, finished(accumulator[0], count, y.dtype()));
    };
  }
}
