package dev.filigree.cuda.operation;

/** Rotary positions of heads beside each other: {@code attention/rotary.cu}. */
public final class Rotation {
  private Rotation() {}

  /**
   * Launches it.
   *
   * @param x f16 {@code [tokens, heads * width]}
   * @param cos f32 {@code [tableRows, turned]}; of each token the row is its number modulo
   *     tableRows
   * @param sin of cos's extents and pitch
   * @param width features of a head
   * @param y of x's extents
   */
  public static Launch turn(
      OperationKernels kernels, Rows x, Rows cos, Rows sin, int width, Rows y) {
    return OperationKernels.eights(
        kernels.typed("rotary", x.dtype()),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .pointer("x", x.address())
                .pointer("cos", cos.address())
                .pointer("sin", sin.address())
                .pointer("y", y.address())
                .i32("rows", Math.toIntExact(y.rows()))
                .i32("columns", y.columns())
                .i32("width", width)
                .i32("turned", cos.columns())
                .i32("tableRows", Math.toIntExact(cos.rows()))
                .i32("pitchX", x.pitch())
                .i32("pitchTable", cos.pitch())
                .i32("pitchY", y.pitch()));
  }
}
