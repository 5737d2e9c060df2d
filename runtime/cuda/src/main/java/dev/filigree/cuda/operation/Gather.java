package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Shape;

/** Slices that indices name along one axis, as {@link dev.filigree.kernel.shape.Gather} does. */
public final class Gather {
  /** What the fault holds while every index was in range. */
  public static final long NO_FAULT = -1;

  private Gather() {}

  /**
   * Launches it. An index out of range takes row 0, and its position is kept as the fault if it is
   * the first.
   *
   * @param x any type, its last axis of neighbours
   * @param axis the indices name
   * @param indices address of i64 or i32
   * @param indexType their type
   * @param indexShape their shape
   * @param y row-major, its rows a pitch apart
   * @param pitchY that pitch
   * @param fault address of an i64 that holds {@link #NO_FAULT} before
   */
  public static Launch slices(
      OperationKernels kernels,
      View x,
      int axis,
      long indices,
      DType indexType,
      Shape indexShape,
      long y,
      int pitchY,
      long fault) {
    long[] extents = x.extents();
    long[] steps = x.steps();
    long count = indexShape.elements();
    boolean last = axis == x.rank() - 1;
    long outer = merged(x, 0, axis);
    long stepOuter = axis == 0 ? 0 : steps[axis - 1];
    long rows = extents[axis];
    if (last) {
      return elements(
          kernels,
          x.dtype(),
          x.address(),
          rows,
          outer,
          stepOuter,
          indices,
          indexType.bytes(),
          count,
          y,
          pitchY,
          fault);
    }
    long inner = merged(x, axis + 1, x.rank() - 1);
    int columns = Math.toIntExact(extents[x.rank() - 1]);
    return OperationKernels.eights(
        kernels.sized("gather", x.dtype()),
        outer * count * inner,
        pitchY,
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("indices", indices)
                .i32("indexBytes", indexType.bytes())
                .pointer("y", y)
                .i64("rows", rows)
                .i32("outer", Math.toIntExact(outer))
                .i32("count", Math.toIntExact(count))
                .i32("inner", Math.toIntExact(inner))
                .i32("columns", columns)
                .i64("stepOuter", stepOuter)
                .i64("stepRow", steps[axis])
                .i64("stepInner", x.rank() < 2 ? 0 : steps[x.rank() - 2])
                .i32("pitchY", pitchY)
                .pointer("fault", fault));
  }

  /**
   * Launches it for columns in another order.
   *
   * @param order address of an i32 for each column of y: a column of x, or a negative one for zeros
   */
  public static Launch ordered(OperationKernels kernels, Rows x, long order, Rows y) {
    return elements(
        kernels,
        x.dtype(),
        x.address(),
        x.columns(),
        x.rows(),
        x.pitch(),
        order,
        Integer.BYTES,
        y.columns(),
        y.address(),
        y.pitch(),
        0);
  }

  private static Launch elements(
      OperationKernels kernels,
      DType dtype,
      long x,
      long rows,
      long outer,
      long stepOuter,
      long indices,
      int indexBytes,
      long count,
      long y,
      int pitchY,
      long fault) {
    return OperationKernels.eights(
        kernels.sized("gather_elements", dtype),
        outer,
        pitchY,
        arguments ->
            arguments
                .pointer("x", x)
                .pointer("indices", indices)
                .i32("indexBytes", indexBytes)
                .pointer("y", y)
                .i64("rows", rows)
                .i32("outer", Math.toIntExact(outer))
                .i32("count", Math.toIntExact(count))
                .i64("stepOuter", stepOuter)
                .i32("pitchY", pitchY)
                .pointer("fault", fault));
  }

  /** Extent of some neighbouring axes taken as one. */
  private static long merged(View x, int from, int to) {
    long extent = 1;
    for (int axis = to - 1; axis >= from; axis--) {
      if (axis < to - 1 && x.steps()[axis] != x.steps()[axis + 1] * x.extents()[axis + 1]) {
        throw new IllegalArgumentException(x + " is not row-major");
      }
      extent *= x.extents()[axis];
    }
    return extent;
  }
}
