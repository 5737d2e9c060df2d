package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.kernels.cuda.Parameter;
import dev.filigree.kernels.cuda.Tile;

/** Products of two matrices that are both computed, see {@code matmul/matmul.cu}. */
public final class MatrixProduct {
  private MatrixProduct() {}

  /** Whether the kernel knows as many axes and products as a result has. */
  public static boolean supports(Shape y) {
    return y.rank() - 2 <= Parameter.OUTER_AXES
        && y.elements() / Math.max(1, y.extent(-1) * y.extent(-2)) <= OperationKernels.MOST_ALONG_Y;
  }

  /**
   * {@code y = a b} for every pair of matrices that broadcasting of the leading axes pairs up.
   *
   * @param a f16 or bf16 {@code [..., rows, depth]}, its rows a pitch of whole 16 bytes apart
   * @param b of the same type {@code [..., depth, columns]}, likewise
   * @param y of the same type or f32 {@code [..., rows, columns]}
   */
  public static Launch multiply(OperationKernels kernels, View a, View b, View y) {
    Kernel kernel = kernels.typed("matmul", a.dtype());
    Tile tile = kernel.entry().tile().orElseThrow();
    int leading = y.rank() - 2;
    long[] extents = new long[Parameter.OUTER_AXES];
    long[] stepsA = new long[Parameter.OUTER_AXES];
    long[] stepsB = new long[Parameter.OUTER_AXES];
    long products = pairs(a, b, y, extents, stepsA, stepsB);
    int rows = Math.toIntExact(y.extents()[leading]);
    int pitchY = pitch(y);
    return OperationKernels.launch(
        kernel,
        (long) Math.ceilDiv(rows, tile.tokens()) * Math.ceilDiv(pitchY, tile.out()),
        products,
        arguments ->
            arguments
                .pointer("a", a.address())
                .pointer("b", b.address())
                .pointer("y", y.address())
                .axes("extents", extents)
                .axes("stepsA", stepsA)
                .axes("stepsB", stepsB)
                .i32("rows", rows)
                .i32("columns", Math.toIntExact(y.extents()[leading + 1]))
                .i32("depth", Math.toIntExact(a.extents()[a.rank() - 1]))
                .i32("pitchA", pitch(a))
                .i32("pitchB", pitch(b))
                .i32("pitchY", pitchY)
                .i32("exact", y.dtype() == DType.F32 ? 1 : 0));
  }

  /** Extents and steps along the leading axes; how many pairs of matrices there are. */
  static long pairs(View a, View b, View y, long[] extents, long[] stepsA, long[] stepsB) {
    int leading = y.rank() - 2;
    long products = 1;
    for (int i = 0; i < Parameter.OUTER_AXES; i++) {
      int axis = i - (Parameter.OUTER_AXES - leading);
      extents[i] = axis < 0 ? 1 : y.extents()[axis];
      stepsA[i] = axis < 0 ? 0 : step(a, axis - (y.rank() - a.rank()));
      stepsB[i] = axis < 0 ? 0 : step(b, axis - (y.rank() - b.rank()));
      products *= extents[i];
    }
    return products;
  }

  /** Elements to the next matrix along a leading axis; 0 where it repeats. */
  private static long step(View view, int axis) {
    return axis < 0 || view.extents()[axis] == 1 ? 0 : view.steps()[axis];
  }

  static int pitch(View view) {
    return Math.toIntExact(view.steps()[view.rank() - 2]);
  }
}
