package dev.filigree.spi;

import dev.filigree.DType;

/**
 * How codes of 8 bits are added: {@code y = saturate(rint(a * ratioA + b * ratioB + fixed))}, each
 * product and its addition rounded once, that of b first, as ONNX Runtime adds them. All three are
 * held less their zero points.
 *
 * @param zeroA zero point of a
 * @param ratioA scale of a by that of the result
 * @param zeroB zero point of b
 * @param ratioB scale of b by that of the result
 * @param zero zero point of the result
 * @param least code of the result
 * @param greatest code of the result
 */
public record CodeSum(
    int zeroA, float ratioA, int zeroB, float ratioB, int zero, int least, int greatest) {
  /**
   * The sum of operands of one type.
   *
   * @param dtype i8 or u8, of the result
   */
  public static CodeSum of(
      DType dtype, float scaleA, int zeroA, float scaleB, int zeroB, float scale, int zero) {
    return new CodeSum(
        zeroA,
        scaleA / scale,
        zeroB,
        scaleB / scale,
        zero,
        (int) dtype.least(),
        (int) dtype.greatest());
  }

  /** What is added for the zero points. */
  public float fixed() {
    return zero - Math.fma(ratioA, (float) zeroA, ratioB * zeroB);
  }

  /** The sum of two codes, all less their zero points. */
  public float of(float a, float b) {
    float sum = Math.fma(a + zeroA, ratioA, Math.fma(b + zeroB, ratioB, fixed()));
    return (float) Math.rint(Math.min(Math.max(sum, least), greatest)) + 0f - zero;
  }
}
