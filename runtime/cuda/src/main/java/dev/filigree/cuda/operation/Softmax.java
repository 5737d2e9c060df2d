package dev.filigree.cuda.operation;

import dev.filigree.Shape;

/** Softmax and its logarithm along one axis. */
public final class Softmax {
  private Softmax() {}

  /**
   * Along rows.
   *
   * @param x f16, bf16 or f32
   * @param y of the same type and extents; may be x
   */
  public static Launch rows(OperationKernels kernels, Rows x, Rows y, boolean logarithm) {
    return kernels.rows(
        "softmax_" + x.dtype(),
        x.rows(),
        x.columns(),
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .i32("rows", Math.toIntExact(x.rows()))
                .i32("columns", x.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch())
                .i32("logarithm", logarithm ? 1 : 0));
  }

  /**
   * Along an axis that is not the last. What lies between the rows of y is left as it is.
   *
   * @param x f16, bf16 or f32, its last axis of neighbours
   * @param y of the same type and extents, its last axis of neighbours; may be x
   */
  public static Launch axis(OperationKernels kernels, View x, int axis, View y, boolean logarithm) {
    int last = x.rank() - 1;
    long[] extents = x.extents();
    if (axis != last - 1) {
      // axes between this one and the last would be a second loop; a permutation puts it next
      View[] moved = {beforeLast(x, axis), beforeLast(y, axis)};
      return axis(kernels, moved[0], last - 1, moved[1], logarithm);
    }
    Walk walk = Walk.ofElements(outer(x), outer(y));
    long outer = Shape.of(outer(x).extents()).elements();
    long inner = extents[last];
    int share = Sharing.ofColumn(extents[axis], outer * inner);
    return OperationKernels.shares(
        kernels.typed("softmax_columns", x.dtype()),
        outer * inner,
        share,
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .axes("extents", walk.extents())
                .axes("stepsX", walk.steps()[0])
                .axes("stepsY", walk.steps()[1])
                .i64("lanes", outer * inner)
                .i32("length", Math.toIntExact(extents[axis]))
                .i32("inner", Math.toIntExact(inner))
                .i64("stepX", x.steps()[axis])
                .i64("stepY", y.steps()[axis])
                .i32("logarithm", logarithm ? 1 : 0)
                .i32("share", share));
  }

  private static View beforeLast(View x, int axis) {
    int last = x.rank() - 1;
    int[] order = new int[x.rank()];
    int at = 0;
    for (int a = 0; a < last; a++) {
      if (a != axis) {
        order[at++] = a;
      }
    }
    order[at++] = axis;
    order[at] = last;
    return x.permute(order);
  }

  /** The axes before the last two. */
  private static View outer(View x) {
    int[] order = new int[x.rank() - 2];
    for (int a = 0; a < order.length; a++) {
      order[a] = a;
    }
    return x.permute(order);
  }
}
