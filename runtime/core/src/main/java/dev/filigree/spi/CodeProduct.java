package dev.filigree.spi;

import dev.filigree.DType;

/**
 * How codes of 8 bits are multiplied: {@code y = saturate(rint(a * b * factor + zero))}, as ONNX
 * Runtime multiplies them. All three are held less their zero points.
 *
 * @param factor both scales by that of the result
 * @param zero zero point of the result
 * @param least code of the result
 * @param greatest code of the result
 */
public record CodeProduct(float factor, int zero, int least, int greatest) {
  /**
   * The product of operands of one type.
   *
   * @param dtype i8 or u8, of the result
   */
  public static CodeProduct of(DType dtype, float scaleA, float scaleB, float scale, int zero) {
    return new CodeProduct(
        scaleA * scaleB / scale, zero, (int) dtype.least(), (int) dtype.greatest());
  }

  /** The product of two codes, all less their zero points. */
  public float of(float a, float b) {
    float product = a * b * factor + zero;
    return (float) Math.rint(Math.min(Math.max(product, least), greatest)) + 0f - zero;
  }
}
