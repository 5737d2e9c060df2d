package dev.filigree.spi;

/** What kernels do to one code of 8 bits: the scalar twin of those on many. */
public final class OneCode {
  private OneCode() {}

  /** The float that a code stands for. */
  public static float decoded(byte code, boolean signed, int zeroPoint, float scale) {
    return ((signed ? code : Byte.toUnsignedInt(code)) - zeroPoint) * scale;
  }

  /** The code of a float, rounded half to even and saturated; that of NaN is any. */
  public static byte encoded(float x, boolean signed, int zeroPoint, float scale) {
    int least = signed ? Byte.MIN_VALUE : 0;
    return (byte) (int) Math.clamp(Math.rint(x / scale) + zeroPoint, least, least + 255);
  }

  /** The code of a sum of products, less the zero point. */
  public static float requantized(float sum, float factor, float low, float high) {
    // no zero is negative, so that kernels that round otherwise give the same bits
    return (float) Math.rint(Math.min(Math.max(sum * factor, low), high)) + 0f;
  }
}
