package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.math.Reduce;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Sums along axes and normalisations of planes that follow no convolution, and how a plan runs
 * them.
 */
final class ReductionRules {
  private final Planner planner;

  ReductionRules(Planner planner) {
    this.planner = planner;
  }

  /** Plans a node; false if it has no such form. */
  boolean plan(Node node) {
    if (!node.domain().equals(Node.ONNX)) {
      return false;
    }
    return switch (node.type()) {
      case "ReduceMean",
          "ReduceSum",
          "ReduceSumSquare",
          "ReduceL1",
          "ReduceL2",
          "ReduceMax",
          "ReduceMin" ->
          reduce(node);
      case "BatchNormalization" -> byGivenStatistics(node);
      case "InstanceNormalization", "GroupNormalization" -> byOwnStatistics(node);
      default -> false;
    };
  }

  /** Whether a value has f32 elements that only a run knows, as many as can be numbered. */
  private boolean isNumbered(String value) {
    return planner.isMadeOfFloats(value)
        && planner.type(value).shape().elements() <= Integer.MAX_VALUE;
  }

  private boolean reduce(Node node) {
    String input = node.inputs().getFirst();
    if (!isNumbered(input) || !(Operators.find(node) instanceof Reduce reduction)) {
      return false;
    }
    boolean[] reduced = reduction.reduced(node, planner.known(node));
    Shape shape = planner.type(input).shape();
    int[] folded =
        IntStream.range(0, reduced.length)
            .filter(axis -> reduced[axis] && shape.extent(axis) != 1)
            .toArray();
    int first = folded.length == 0 ? reduced.length : folded[0];
    int end = folded.length == 0 ? reduced.length : folded[folded.length - 1] + 1;
    boolean together =
        IntStream.range(first, end).allMatch(axis -> reduced[axis] || shape.extent(axis) == 1);
    FoldStep.Fold fold =
        switch (reduction) {
          case MEAN -> FoldStep.Fold.MEAN;
          case L1 -> FoldStep.Fold.MAGNITUDE;
          case SUM_SQUARE -> FoldStep.Fold.SQUARES;
          case L2 -> FoldStep.Fold.ROOT;
          case MAX -> FoldStep.Fold.LARGEST;
          case MIN -> FoldStep.Fold.SMALLEST;
          default -> FoldStep.Fold.SUM;
        };
    Slot x = planner.use(input, Layout.ROWS);
    if (!together) {
      apart(node, x, reduced, fold);
      return true;
    }
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(
        new FoldStep(
            x,
            y,
            Elements.product(shape, 0, first),
            Elements.product(shape, first, end),
            Elements.product(shape, end, shape.rank()),
            fold));
    planner.explain(node, Layout.ROWS, "several results at a time");
    return true;
  }

  /** Puts the axes that are folded behind the others first. */
  private void apart(Node node, Slot x, boolean[] reduced, FoldStep.Fold fold) {
    int[] order =
        IntStream.concat(
                IntStream.range(0, reduced.length).filter(axis -> !reduced[axis]),
                IntStream.range(0, reduced.length).filter(axis -> reduced[axis]))
            .toArray();
    long[] own = x.shape().strides();
    Shape moved = Shape.of(Arrays.stream(order).mapToLong(x.shape()::extent).toArray());
    long[] strides = Arrays.stream(order).mapToLong(axis -> own[axis]).toArray();
    Slot together = planner.place(ValueType.of(DType.F32, moved), Layout.ROWS);
    planner.add(new MoveStep(x, 0, strides, together));
    planner.use(together);
    Slot y = planner.define(node.output(), Layout.ROWS);
    long results = y.shape().elements();
    planner.add(new FoldStep(together, y, results, moved.elements() / results, 1, fold));
    planner.explain(node, Layout.ROWS, "axes moved together, then several results at a time");
  }

  private boolean byGivenStatistics(Node node) {
    String input = node.inputs().getFirst();
    boolean training =
        node.intAttribute("training_mode", 0) != 0
            || node.outputs().stream().skip(1).anyMatch(output -> !output.isEmpty());
    if (training || !isNumbered(input) || planner.type(input).rank() < 2) {
      return false;
    }
    Optional<double[]> scales = numbers(node, 1);
    Optional<double[]> biases = numbers(node, 2);
    Optional<double[]> means = numbers(node, 3);
    Optional<double[]> variances = numbers(node, 4);
    if (scales.isEmpty() || biases.isEmpty() || means.isEmpty() || variances.isEmpty()) {
      return false;
    }
    double epsilon = node.floatAttribute("epsilon", 1e-5f);
    float[] factors = new float[scales.get().length];
    float[] shifts = new float[factors.length];
    for (int c = 0; c < factors.length; c++) {
      double factor = scales.get()[c] / Math.sqrt(variances.get()[c] + epsilon);
      factors[c] = (float) factor;
      shifts[c] = (float) (biases.get()[c] - means.get()[c] * factor);
    }
    Slot x = planner.use(input, Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(
        new PlaneSteps.Affine(planner.linearLayers().kernels(), x, y, factors, shifts, null, true));
    planner.explain(node, Layout.ROWS, "plane by plane");
    return true;
  }

  private boolean byOwnStatistics(Node node) {
    String input = node.inputs().getFirst();
    Optional<double[]> scales = numbers(node, 1);
    Optional<double[]> biases = numbers(node, 2);
    if (!isNumbered(input) || scales.isEmpty() || biases.isEmpty()) {
      return false;
    }
    Slot x = planner.use(input, Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    double epsilon = node.floatAttribute("epsilon", 1e-5f);
    int groups = (int) node.intAttribute("num_groups", planner.type(input).shape().extent(1));
    planner.add(new InstanceNormalizationStep(x, y, groups, scales.get(), biases.get(), epsilon));
    planner.explain(
        node, Layout.ROWS, node.is("GroupNormalization") ? "group by group" : "plane by plane");
    return true;
  }

  /** Constant numbers, one for each channel; nothing if only a run knows them. */
  private Optional<double[]> numbers(Node node, int input) {
    return planner
        .constant(node.inputs().get(input))
        .map(Tensor::contiguous)
        .map(
            tensor ->
                IntStream.range(0, (int) tensor.elements())
                    .mapToDouble(tensor::getDouble)
                    .toArray());
  }
}
