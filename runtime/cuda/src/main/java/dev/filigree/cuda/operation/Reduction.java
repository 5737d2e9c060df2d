package dev.filigree.cuda.operation;

import dev.filigree.Shape;
import dev.filigree.cuda.driver.Kernel;
import java.util.Optional;
import java.util.stream.IntStream;

/** Reductions, in the order of the kernels' codes ({@code reduction/reduce.cu}). */
public enum Reduction {
  SUM("ReduceSum"),
  MEAN("ReduceMean"),
  MAX("ReduceMax"),
  MIN("ReduceMin"),
  PRODUCT("ReduceProd"),
  L1("ReduceL1"),
  /** Floats only, as the two logarithms. */
  L2("ReduceL2"),
  SUM_SQUARES("ReduceSumSquare"),
  LOG_SUM("ReduceLogSum"),
  LOG_SUM_EXP("ReduceLogSumExp");

  private final String operator;

  Reduction(String operator) {
    this.operator = operator;
  }

  /** The ONNX operator. */
  public String operator() {
    return operator;
  }

  /** The reduction of an ONNX operator. */
  public static Optional<Reduction> of(String operator) {
    for (Reduction reduction : values()) {
      if (reduction.operator.equals(operator)) {
        return Optional.of(reduction);
      }
    }
    return Optional.empty();
  }

  /**
   * Folds some axes of a tensor.
   *
   * @param x any type but bool
   * @param folded whether each axis is
   * @param y of the same type, row-major over the axes that are kept
   * @param pitchY elements from a row of y to the next; what lies beyond the last kept axis becomes
   *     zero
   */
  public Launch fold(OperationKernels kernels, View x, boolean[] folded, long y, int pitchY) {
    View kept = axes(x, folded, false);
    View gone = axes(x, folded, true);
    Walk keptWalk = Walk.ofElements(kept);
    Walk goneWalk = Walk.ofElements(gone);
    int columns = kept.rank() == 0 ? 1 : Math.toIntExact(kept.extents()[kept.rank() - 1]);
    long results = elements(kept);
    long count = elements(gone);
    // neighbouring threads should read neighbours: those that are folded, or those that are kept
    boolean alongFolded = x.rank() == 0 || folded[x.rank() - 1];
    Kernel kernel = kernels.typed(alongFolded ? "reduce_rows" : "reduce_columns", x.dtype());
    long rows = columns == 0 ? 0 : results / columns;
    int share =
        alongFolded
            ? Sharing.ofRow(count, kernel.entry().threads())
            : Sharing.ofColumn(count, results);
    return OperationKernels.shares(
        kernel,
        alongFolded ? results : rows * pitchY,
        share,
        arguments ->
            arguments
                .i32("operation", ordinal())
                .pointer("x", x.address())
                .pointer("y", y)
                .axes("keptExtents", keptWalk.extents())
                .axes("keptSteps", keptWalk.steps()[0])
                .axes("foldedExtents", goneWalk.extents())
                .axes("foldedSteps", goneWalk.steps()[0])
                .i64("count", count)
                .i32("rows", Math.toIntExact(rows))
                .i32("columns", columns)
                .i32("pitchY", pitchY)
                .i32("share", share));
  }

  private static long elements(View view) {
    return Shape.of(view.extents()).elements();
  }

  private static View axes(View x, boolean[] folded, boolean wanted) {
    int[] order = IntStream.range(0, x.rank()).filter(a -> folded[a] == wanted).toArray();
    return x.permute(order);
  }
}
