package dev.filigree.cuda.operation;

import dev.filigree.cuda.operation.Pooling.Extent;

/** Images at other extents, {@code [batch, height, width, channels]}: {@code pooling/resize.cu}. */
public final class Resizing {
  private Resizing() {}

  /**
   * What elements of an axis of the result are made of.
   *
   * @param elements address of i32 {@code [extent, count]}, the first -1 for a place outside
   * @param weights address of f32, of the same extents
   * @param count taps of each element
   */
  public record Axis(long elements, long weights, int count) {}

  /**
   * Launches it.
   *
   * @param x {@code [batch * height * width, channels]} in f16 or bf16
   * @param outside what places outside the image hold
   * @param y {@code [batch * outHeight * outWidth, channels]} of the same type
   */
  public static Launch resize(
      OperationKernels kernels,
      Axis down,
      Axis across,
      float outside,
      Rows x,
      Extent image,
      Rows y,
      Extent result) {
    return OperationKernels.eights(
        kernels.typed("resize", x.dtype()),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("y", y.address())
                .pointer("rowElements", down.elements)
                .pointer("rowWeights", down.weights)
                .pointer("columnElements", across.elements)
                .pointer("columnWeights", across.weights)
                .i32("rowTaps", down.count)
                .i32("columnTaps", across.count)
                .i32("tokens", Math.toIntExact(y.rows()))
                .i32("height", image.height())
                .i32("width", image.width())
                .i32("outHeight", result.height())
                .i32("outWidth", result.width())
                .i32("channels", y.columns())
                .f32("outside", outside)
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }
}
