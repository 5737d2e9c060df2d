package dev.filigree.kernel.signal;

/** Discrete Fourier transforms by their definition, with the angles of one circle kept. */
final class Fourier {
  private final double[] cosines;
  private final double[] sines;
  private final int length;
  private final boolean inverse;

  Fourier(int length, boolean inverse) {
    this.length = length;
    this.inverse = inverse;
    this.cosines = new double[length];
    this.sines = new double[length];
    for (int i = 0; i < length; i++) {
      double angle = (inverse ? 2 : -2) * Math.PI * i / length;
      cosines[i] = Math.cos(angle);
      sines[i] = Math.sin(angle);
    }
  }

  /**
   * One coefficient.
   *
   * @param real parts of the signal, shorter ones stand for zeros
   * @param imaginary parts
   * @param into takes the real and the imaginary part
   */
  void coefficient(long k, double[] real, double[] imaginary, double[] into) {
    double re = 0;
    double im = 0;
    for (int n = 0; n < Math.min(length, real.length); n++) {
      int at = (int) (k * n % length);
      re += real[n] * cosines[at] - imaginary[n] * sines[at];
      im += real[n] * sines[at] + imaginary[n] * cosines[at];
    }
    into[0] = inverse ? re / length : re;
    into[1] = inverse ? im / length : im;
  }
}
