package dev.filigree.kernel.quant;

import java.util.Arrays;
import java.util.Optional;

/**
 * Floats of a byte and less (ONNX's Float stored in 8 bits; OCP Microscaling Formats 1.0): a sign,
 * an exponent and a mantissa, with the values that each form leaves out or has besides. Filigree
 * holds them as f32, which has all their values.
 */
public enum SmallFloat {
  /** No infinities; NaN with all bits but the sign set. */
  E4M3FN(17, 4, 3, 7),

  /** No infinities, no negative zero, whose bits are NaN. */
  E4M3FNUZ(18, 4, 3, 8),

  /** Infinities and NaN as IEEE 754 has them. */
  E5M2(19, 5, 2, 15),

  /** As {@link #E4M3FNUZ}. */
  E5M2FNUZ(20, 5, 2, 16),

  /** Four bits, all of them numbers. */
  E2M1(23, 2, 1, 1),

  /** Powers of two without a sign. */
  E8M0(24, 8, 0, 127);

  private static final int SIGN = 0x80;

  private final long number;
  private final int exponentBits;
  private final int mantissaBits;
  private final int bias;

  SmallFloat(long number, int exponentBits, int mantissaBits, int bias) {
    this.number = number;
    this.exponentBits = exponentBits;
    this.mantissaBits = mantissaBits;
    this.bias = bias;
  }

  /** The form with ONNX's number of a type, if it is one. */
  public static Optional<SmallFloat> of(long number) {
    return Arrays.stream(values()).filter(form -> form.number == number).findFirst();
  }

  /** ONNX's number of the type. */
  public long number() {
    return number;
  }

  /** Bits of a value, four or eight. */
  public int bits() {
    return this == E2M1 ? 4 : 8;
  }

  /** The value of some bits. */
  public float decode(int bits) {
    int exponent = bits >> mantissaBits & (1 << exponentBits) - 1;
    int mantissa = bits & (1 << mantissaBits) - 1;
    if (this == E8M0) {
      return exponent == 0xff ? Float.NaN : Math.scalb(1f, exponent - bias);
    }
    boolean last = exponent == (1 << exponentBits) - 1;
    float magnitude =
        exponent == 0
            ? Math.scalb((float) mantissa, 1 - bias - mantissaBits)
            : Math.scalb((float) (mantissa | 1 << mantissaBits), exponent - bias - mantissaBits);
    boolean none =
        switch (this) {
          case E4M3FN -> last && mantissa == (1 << mantissaBits) - 1;
          case E5M2 -> last && mantissa != 0;
          case E4M3FNUZ, E5M2FNUZ -> bits == SIGN;
          case E2M1, E8M0 -> false;
        };
    if (none) {
      return Float.NaN;
    }
    if (this == E5M2 && last) {
      magnitude = Float.POSITIVE_INFINITY;
    }
    return (bits >> mantissaBits + exponentBits & 1) == 0 ? magnitude : -magnitude;
  }

  /** Whether Filigree rounds to this form. */
  public boolean isRounded() {
    return this != E2M1 && this != E8M0;
  }

  private double greatest() {
    return switch (this) {
      case E4M3FN -> 448;
      case E4M3FNUZ -> 240;
      case E5M2, E5M2FNUZ -> 57344;
      case E2M1, E8M0 -> throw new IllegalStateException("nothing is rounded to " + this);
    };
  }

  /**
   * The nearest value, half to even.
   *
   * @param saturates whether what is beyond the greatest becomes it, rather than NaN, or infinity
   *     where the form has it
   */
  public float round(double x, boolean saturates) {
    if (Double.isNaN(x)) {
      return Float.NaN;
    }
    int exponent = Math.max(Math.getExponent(x), 1 - bias);
    double unit = Math.scalb(1.0, exponent - mantissaBits);
    double rounded = Double.isInfinite(x) ? x : Math.rint(x / unit) * unit;
    if (Math.abs(rounded) > greatest()) {
      double beyond = this == E5M2 ? Double.POSITIVE_INFINITY : Double.NaN;
      return (float) Math.copySign(saturates ? greatest() : beyond, x);
    }
    boolean positive = rounded == 0 && (this == E4M3FNUZ || this == E5M2FNUZ);
    return positive ? 0 : (float) rounded;
  }
}
