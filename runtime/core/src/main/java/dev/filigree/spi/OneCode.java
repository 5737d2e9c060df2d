package dev.filigree.spi;

/** What kernels do to one code of 8 bits: the scalar twin of those on many. */
public final class OneCode {
  private OneCode() {}

  /** The float that a code stands for. */
  public static float decoded(byte code, boolean signed, int zeroPoint, float scale) {
    return ((signed ? code : Byte.toUnsignedInt(code)) - zeroPoint) * scale;
  }

  /**
   * The code of a float, rounded half to even and saturated; that of NaN is the least, as ONNX
   * Runtime's.
   */
  public static byte encoded(float x, boolean signed, int zeroPoint, float scale) {
    int least = signed ? Byte.MIN_VALUE : 0;
    float low = least - zeroPoint;
    return (byte) (int) (requantized(x / scale, 1, low, low + 255) + zeroPoint);
  }

  /** The code of a sum of products, less the zero point; of NaN the least. */
  public static float requantized(float sum, float factor, float low, float high) {
    float product = sum * factor;
    // nothing compares with NaN; no zero is negative, so that kernels that round otherwise give the
    // same bits
    return (float) Math.rint(product > low ? Math.min(product, high) : low) + 0f;
  }
}
