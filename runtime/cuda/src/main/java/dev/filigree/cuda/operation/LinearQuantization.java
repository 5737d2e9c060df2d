package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.cuda.driver.Arguments;

/**
 * Floats to codes of eight bits and back, {@code x = (code - zero) * scale}; see {@code
 * quantized/linear_quantization.cu}.
 *
 * @param scales address of the f32 scales
 * @param zeros address of the i32 zero points; 0 for none
 * @param lines how many there are of each
 * @param rowsPerLine rows under one index of their axis
 * @param alongColumns whether their axis is the last one
 */
public record LinearQuantization(
    long scales, long zeros, int lines, int rowsPerLine, boolean alongColumns) {
  private static final int LEAST_SIGNED = -128;

  /** One scale and zero point for all. */
  public static LinearQuantization one(long scale, long zero) {
    return new LinearQuantization(scale, zero, 1, 1, false);
  }

  /**
   * Codes of floats.
   *
   * @param x f16 or f32
   * @param y i8 or u8, of as many rows and columns
   * @param isDynamic whether a NaN gets the zero point in place of 0
   */
  public Launch quantize(OperationKernels kernels, Rows x, Rows y, boolean isDynamic) {
    return OperationKernels.eights(
        kernels.typed("quantize_linear", x.dtype()),
        y.rows(),
        y.pitch(),
        arguments ->
            bind(arguments, x, y)
                .i32("least", y.dtype() == DType.I8 ? LEAST_SIGNED : 0)
                .i32("dynamic", isDynamic ? 1 : 0));
  }

  /**
   * Floats of codes.
   *
   * @param x i8, u8 or i32
   * @param y f16 or f32, of as many rows and columns
   */
  public Launch dequantize(OperationKernels kernels, Rows x, Rows y) {
    return OperationKernels.eights(
        kernels.typed("dequantize_linear", x.dtype()),
        y.rows(),
        y.pitch(),
        arguments -> bind(arguments, x, y).i32("exact", y.dtype() == DType.F32 ? 1 : 0));
  }

  private Arguments bind(Arguments arguments, Rows x, Rows y) {
    return arguments
        .pointer("x", x.address())
        .pointer("y", y.address())
        .pointer("scales", scales)
        .pointer("zeros", zeros)
        .i32("lines", lines)
        .i32("rowsPerLine", rowsPerLine)
        .i32("alongColumns", alongColumns ? 1 : 0)
        .i32("rows", Math.toIntExact(x.rows()))
        .i32("columns", x.columns())
        .i32("pitchX", x.pitch())
        .i32("pitchY", y.pitch());
  }

  /**
   * Scale and zero point of unsigned codes for a range and 0.
   *
   * @param least address of the f32 least number; {@code greatest} likewise
   * @param scale address of the f32 scale to be written
   * @param zero address of the u8 zero point to be written
   */
  public static Launch range(
      OperationKernels kernels, long least, long greatest, long scale, long zero) {
    return OperationKernels.elements(
        kernels.kernel("quantization_range"),
        1,
        arguments ->
            arguments
                .pointer("least", least)
                .pointer("greatest", greatest)
                .pointer("scale", scale)
                .pointer("zero", zero));
  }
}
