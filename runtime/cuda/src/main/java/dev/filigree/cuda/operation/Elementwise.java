package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.cuda.driver.Kernel;

/**
 * Functions of single elements. Operands broadcast to the result as numpy does; the result is
 * stored in rows, and what lies between its columns and its pitch becomes zero.
 */
public final class Elementwise {
  private Elementwise() {}

  /**
   * {@code y = a operation b}.
   *
   * @param a f16, bf16, f32, i32 or i64; b and y are of the same type
   */
  public static Launch binary(
      OperationKernels kernels, BinaryOperation operation, View a, View b, View y) {
    return pair(kernels.typed("binary", y.dtype()), operation.ordinal(), a, b, y);
  }

  /**
   * {@code y = a comparison b}.
   *
   * @param a f16, bf16, f32, i8, u8, i32, i64 or bool; b is of the same type
   * @param y bool
   */
  public static Launch compare(
      OperationKernels kernels, Comparison comparison, View a, View b, View y) {
    DType bytes = a.dtype() == DType.BOOL ? DType.U8 : a.dtype();
    return pair(kernels.typed("compare", bytes), comparison.ordinal(), a, b, y);
  }

  private static Launch pair(Kernel kernel, int operation, View a, View b, View y) {
    Walk walk = Walk.of(a.broadcast(y.extents()), b.broadcast(y.extents()), y);
    int pitch = walk.pitch(y, 2);
    return OperationKernels.eights(
        kernel,
        walk.rows(),
        pitch,
        arguments ->
            arguments
                .i32("operation", operation)
                .pointer("a", a.address())
                .pointer("b", b.address())
                .pointer("y", y.address())
                .axes("extents", walk.extents())
                .axes("stepsA", walk.steps()[0])
                .axes("stepsB", walk.steps()[1])
                .i64("stepA", walk.step()[0])
                .i64("stepB", walk.step()[1])
                .i32("rows", walk.rows())
                .i32("columns", walk.columns())
                .i32("pitchY", pitch));
  }

  /**
   * {@code y = condition ? a : b}.
   *
   * @param condition bool
   * @param a any type; b and y are of the same type
   */
  public static Launch where(OperationKernels kernels, View condition, View a, View b, View y) {
    long[] extents = y.extents();
    Walk walk =
        Walk.of(condition.broadcast(extents), a.broadcast(extents), b.broadcast(extents), y);
    int pitch = walk.pitch(y, 3);
    return OperationKernels.eights(
        kernels.sized("where", y.dtype()),
        walk.rows(),
        pitch,
        arguments ->
            arguments
                .pointer("condition", condition.address())
                .pointer("a", a.address())
                .pointer("b", b.address())
                .pointer("y", y.address())
                .axes("extents", walk.extents())
                .axes("stepsCondition", walk.steps()[0])
                .axes("stepsA", walk.steps()[1])
                .axes("stepsB", walk.steps()[2])
                .i64("stepCondition", walk.step()[0])
                .i64("stepA", walk.step()[1])
                .i64("stepB", walk.step()[2])
                .i32("rows", walk.rows())
                .i32("columns", walk.columns())
                .i32("pitchY", pitch));
  }

  /** Attributes of functions; {@link UnaryOperation} says which of them a function takes. */
  public record Attributes(float alpha, float beta, float gamma) {
    /** None. */
    public static final Attributes NONE = new Attributes(0, 0, 0);
  }

  /**
   * {@code y = operation(x)}.
   *
   * @param x f16, bf16 or f32
   * @param y of the same type and extents; may be x
   */
  public static Launch unary(
      OperationKernels kernels, UnaryOperation operation, Attributes with, Rows x, Rows y) {
    return OperationKernels.eights(
        kernels.typed("unary", x.dtype()),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .i32("operation", operation.ordinal())
                .pointer("x", x.address())
                .pointer("y", y.address())
                .f32("alpha", with.alpha)
                .f32("beta", with.beta)
                .f32("gamma", with.gamma)
                .i32("rows", Math.toIntExact(y.rows()))
                .i32("columns", y.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }

  /**
   * {@code y = operation(x)} of integers.
   *
   * @param operation RELU, NEGATE, ABSOLUTE, SIGN or CLIP
   * @param low bound of CLIP
   * @param high bound of CLIP
   * @param x i32 or i64
   */
  public static Launch unaryInteger(
      OperationKernels kernels, UnaryOperation operation, long low, long high, Rows x, Rows y) {
    return OperationKernels.eights(
        kernels.typed("unary", x.dtype()),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .i32("operation", operation.ordinal())
                .pointer("x", x.address())
                .pointer("y", y.address())
                .i64("low", low)
                .i64("high", high)
                .i32("rows", Math.toIntExact(y.rows()))
                .i32("columns", y.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }

  /** Whether kernels know an element type. */
  public static boolean knows(DType dtype) {
    return code(dtype) >= 0;
  }

  /** The number kernels know an element type by, see {@code shape/cast.cu}; -1 for none. */
  private static int code(DType dtype) {
    return switch (dtype) {
      case F32 -> 0;
      case F16 -> 1;
      case BF16 -> 2;
      case I8 -> 3;
      case U8 -> 4;
      case I32 -> 5;
      case I64 -> 6;
      case BOOL -> 7;
      case F64, I16, U16, U32, U64 -> -1;
    };
  }

  /**
   * Changes the element type as {@link dev.filigree.kernel.math.Cast} does.
   *
   * @param x any type that {@link #knows kernels know}
   * @param y likewise, of the same extents
   */
  public static Launch cast(OperationKernels kernels, Rows x, Rows y) {
    DType from = x.dtype() == DType.BOOL ? DType.U8 : x.dtype();
    return OperationKernels.eights(
        kernels.typed("cast", from),
        y.rows(),
        y.pitch(),
        arguments ->
            arguments
                .i32("to", code(y.dtype()))
                .pointer("x", x.address())
                .pointer("y", y.address())
                .i32("rows", Math.toIntExact(y.rows()))
                .i32("columns", y.columns())
                .i32("pitchX", x.pitch())
                .i32("pitchY", y.pitch()));
  }
}
