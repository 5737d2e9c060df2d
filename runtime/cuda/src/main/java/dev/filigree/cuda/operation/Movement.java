package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.cuda.driver.Kernel;

/** Moves elements without computing with them: slices, joins, broadcasts, transpositions. */
public final class Movement {
  private static final int WORD = 4;
  private static final int SQUARE = 32;

  private Movement() {}

  /**
   * Copies a view into another of the same type and extents, the fastest way its steps allow. The
   * rows of y are of neighbours; what lies beyond their columns, up to a width, becomes zero.
   *
   * @param x broadcasts to y
   * @param width elements of a row of y to write; its columns, or its pitch where the copy is to
   *     fill whole rows
   */
  public static Launch copy(OperationKernels kernels, View x, View y, int width) {
    View from = x.broadcast(y.extents());
    Walk walk = Walk.of(from, y);
    boolean merged = y.rank() == 0 || walk.columns() != y.extents()[y.rank() - 1];
    int rowWidth = merged ? walk.columns() : width;
    int side = transposedSide(walk);
    if (side >= 0) {
      return transpose(kernels, x, y, walk, side, rowWidth);
    }
    return OperationKernels.eights(
        kernels.sized("copy", y.dtype()),
        walk.rows(),
        rowWidth,
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .axes("extents", walk.extents())
                .axes("stepsX", walk.steps()[0])
                .axes("stepsY", walk.steps()[1])
                .i64("stepX", walk.step()[0])
                .i32("rows", walk.rows())
                .i32("columns", walk.columns())
                .i32("width", rowWidth));
  }

  /** The axis along which x has its neighbours, if it is not the last; -1 if there is none. */
  private static int transposedSide(Walk walk) {
    if (walk.step()[0] == 1 || walk.step()[0] == 0 || walk.columns() == 1) {
      return -1;
    }
    for (int axis = 0; axis < walk.extents().length; axis++) {
      if (walk.extents()[axis] > 1 && walk.steps()[0][axis] == 1) {
        return axis;
      }
    }
    return -1;
  }

  private static Launch transpose(
      OperationKernels kernels, View x, View y, Walk walk, int side, int width) {
    Kernel kernel = kernels.sized("transpose", y.dtype());
    int edge = edge(y.dtype());
    long[] extents = walk.extents().clone();
    int rows = Math.toIntExact(extents[side]);
    extents[side] = 1;
    long outer = walk.rows() / Math.max(1, rows);
    return OperationKernels.launch(
        kernel,
        outer * Math.ceilDiv(rows, edge) * Math.ceilDiv(width, edge),
        1,
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .axes("extents", extents)
                .axes("stepsX", walk.steps()[0])
                .axes("stepsY", walk.steps()[1])
                .i64("stepX", walk.step()[0])
                .i64("stepY", walk.steps()[1][side])
                .i32("rows", rows)
                .i32("columns", walk.columns())
                .i32("width", width));
  }

  /** Elements of an edge of the squares a block moves. */
  private static int edge(DType dtype) {
    return SQUARE * Math.max(1, WORD / dtype.bytes());
  }
}
