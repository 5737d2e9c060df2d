package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.cuda.driver.Arguments;
import dev.filigree.cuda.driver.Kernel;
import dev.filigree.cuda.operation.Pooling.Window;
import dev.filigree.kernels.cuda.Parameter;
import dev.filigree.kernels.cuda.Tile;

/** Exact sums of products of eight-bit codes, see the kernels under {@code quantized/}. */
public final class IntegerProduct {
  /** Largest product of two codes less their zero points. */
  private static final long MOST = 255 * 255;

  private IntegerProduct() {}

  /** Whether a sum of so many products fits 32 bits whatever the codes are. */
  public static boolean fits(long products) {
    return products <= Integer.MAX_VALUE / MOST;
  }

  /**
   * Numbers for all lines of an operand, or one for each.
   *
   * @param address of them; 0 for none
   * @param count how many
   */
  public record Lines(long address, int count) {
    /** Zeros, or scales that are not needed. */
    public static final Lines NONE = new Lines(0, 1);
  }

  /**
   * What becomes of the sums: codes where there is a scale of the result, else they stay.
   *
   * @param scaleA f32, {@code scaleB} likewise
   * @param scaleY address of the result's f32 scale; 0 for sums
   * @param zeroY address of the result's i32 zero point
   */
  public record Results(Lines scaleA, Lines scaleB, long scaleY, long zeroY) {
    /** Sums as they are. */
    public static final Results SUMS = new Results(Lines.NONE, Lines.NONE, 0, 0);
  }

  /** Images and their windows in ONNX's order; one spatial axis is a width. */
  public record Convolution(
      int batch, int channels, int outputs, int groups, Window window, int height, int outHeight) {}

  private static Arguments results(Arguments arguments, DType dtype, Results results, String a) {
    int kind = dtype == DType.I32 ? 0 : dtype == DType.U8 ? 1 : 2;
    String b = a.equals("A") ? "B" : "W";
    if (a.equals("A")) {
      arguments.i32("scalesA", results.scaleA.count);
    }
    return arguments
        .pointer("scale" + a, results.scaleA.address)
        .pointer("scale" + b, results.scaleB.address)
        .i32("scales" + b, results.scaleB.count)
        .pointer("scaleY", results.scaleY)
        .pointer("zeroY", results.zeroY)
        .i32("result", kind);
  }

  private static int isSigned(DType dtype) {
    return dtype == DType.I8 ? 1 : 0;
  }

  /**
   * A convolution.
   *
   * @param x i8 or u8, rows of the last axis of {@code [batch, channels, height, width]}
   * @param w i8 or u8, of {@code [outputs, channels of a group, window height, window width]}
   * @param zeroX i32 zero point of x; {@code zeroW} that of w or one for each output
   * @param bias address of i32 {@code [outputs]}, or 0
   * @param y i32, or i8 or u8 where results are codes
   */
  public static Launch convolve(
      OperationKernels kernels,
      Convolution form,
      Rows x,
      Rows w,
      Lines zeroX,
      Lines zeroW,
      long bias,
      Results results,
      Rows y) {
    Window window = form.window;
    return OperationKernels.eights(
        kernels.kernel("convolution_integer"),
        y.rows(),
        y.pitch(),
        arguments ->
            results(arguments, y.dtype(), results, "X")
                .pointer("x", x.address())
                .pointer("w", w.address())
                .pointer("zeroX", zeroX.address)
                .pointer("zeroW", zeroW.address)
                .i32("zerosW", zeroW.count)
                .pointer("bias", bias)
                .pointer("y", y.address())
                .i32("signedX", isSigned(x.dtype()))
                .i32("signedW", isSigned(w.dtype()))
                .i32("batch", form.batch)
                .i32("channels", form.channels)
                .i32("height", form.height)
                .i32("width", x.columns())
                .i32("outputs", form.outputs)
                .i32("outHeight", form.outHeight)
                .i32("outWidth", y.columns())
                .i32("groups", form.groups)
                .i32("windowHeight", window.size().height())
                .i32("windowWidth", window.size().width())
                .i32("strideHeight", window.stride().height())
                .i32("strideWidth", window.stride().width())
                .i32("padTop", window.padding().height())
                .i32("padLeft", window.padding().width())
                .i32("dilationHeight", window.dilation().height())
                .i32("dilationWidth", window.dilation().width())
                .i32("pitchX", x.pitch())
                .i32("pitchW", w.pitch())
                .i32("pitchY", y.pitch()));
  }

  /**
   * Products of matrices that broadcasting of the leading axes pairs up.
   *
   * @param a i8 or u8 {@code [..., rows, depth]}
   * @param b i8 or u8 {@code [..., depth, columns]}
   * @param zeroA i32 zero point of a or one for each row; {@code zeroB} one for each column of b
   * @param y i32, or i8 or u8 where results are codes, {@code [..., rows, columns]}
   */
  public static Launch multiply(
      OperationKernels kernels, View a, View b, Lines zeroA, Lines zeroB, Results results, View y) {
    Kernel kernel = kernels.kernel("matmul_integer");
    Tile tile = kernel.entry().tile().orElseThrow();
    int leading = y.rank() - 2;
    long[] extents = new long[Parameter.OUTER_AXES];
    long[] stepsA = new long[Parameter.OUTER_AXES];
    long[] stepsB = new long[Parameter.OUTER_AXES];
    long products = MatrixProduct.pairs(a, b, y, extents, stepsA, stepsB);
    int rows = Math.toIntExact(y.extents()[leading]);
    int pitchY = MatrixProduct.pitch(y);
    return OperationKernels.launch(
        kernel,
        (long) Math.ceilDiv(rows, tile.tokens()) * Math.ceilDiv(pitchY, tile.out()),
        products,
        arguments ->
            results(arguments, y.dtype(), results, "A")
                .pointer("a", a.address())
                .pointer("b", b.address())
                .pointer("y", y.address())
                .axes("extents", extents)
                .axes("stepsA", stepsA)
                .axes("stepsB", stepsB)
                .pointer("zeroA", zeroA.address)
                .i32("zerosA", zeroA.count)
                .pointer("zeroB", zeroB.address)
                .i32("zerosB", zeroB.count)
                .i32("signedA", isSigned(a.dtype()))
                .i32("signedB", isSigned(b.dtype()))
                .i32("rows", rows)
                .i32("columns", Math.toIntExact(y.extents()[leading + 1]))
                .i32("depth", Math.toIntExact(a.extents()[a.rank() - 1]))
                .i32("pitchA", MatrixProduct.pitch(a))
                .i32("pitchB", MatrixProduct.pitch(b))
                .i32("pitchY", pitchY));
  }
}
