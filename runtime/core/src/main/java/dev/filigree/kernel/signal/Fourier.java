package dev.filigree.kernel.signal;

/**
 * Discrete Fourier transforms in double: the signal is parted by the prime factors of its length
 * (Cooley and Tukey, An algorithm for the machine calculation of complex Fourier series, 1965), of
 * which the transform of a large one is by its definition.
 */
final class Fourier {
  private final double[] cosines;
  private final double[] sines;
  private final int length;
  private final boolean inverse;
  private final double[] real;
  private final double[] imaginary;

  /** Parts of one coefficient, one for each element of the factor that is at work. */
  private final double[] partReal;

  private final double[] partImaginary;

  Fourier(int length, boolean inverse) {
    this.length = length;
    this.inverse = inverse;
    this.cosines = new double[length];
    this.sines = new double[length];
    this.real = new double[length];
    this.imaginary = new double[length];
    this.partReal = new double[length];
    this.partImaginary = new double[length];
    for (int i = 0; i < length; i++) {
      double angle = (inverse ? 2 : -2) * Math.PI * i / length;
      cosines[i] = Math.cos(angle);
      sines[i] = Math.sin(angle);
    }
  }

  /**
   * Transforms a signal, whose coefficients {@link #real} and {@link #imaginary} then tell.
   *
   * @param fromReal parts of the signal, as many as the transform is long
   * @param fromImaginary parts
   */
  void transform(double[] fromReal, double[] fromImaginary) {
    transform(length, fromReal, fromImaginary, 0, 1, 0);
    if (inverse) {
      for (int k = 0; k < length; k++) {
        real[k] /= length;
        imaginary[k] /= length;
      }
    }
  }

  double real(int k) {
    return real[k];
  }

  double imaginary(int k) {
    return imaginary[k];
  }

  /**
   * Transforms every so manieth element.
   *
   * @param count of elements
   * @param at the first of them
   * @param step to the next
   * @param to where their coefficients go
   */
  private void transform(
      int count, double[] fromReal, double[] fromImaginary, int at, int step, int to) {
    if (count == 1) {
      real[to] = fromReal[at];
      imaginary[to] = fromImaginary[at];
      return;
    }
    int factor = factor(count);
    int each = count / factor;
    for (int part = 0; part < factor; part++) {
      transform(each, fromReal, fromImaginary, at + part * step, step * factor, to + part * each);
    }
    for (int k = 0; k < each; k++) {
      if (factor == 2) {
        two(to + k, each, k * step);
      } else {
        join(to + k, each, factor, k, step);
      }
    }
  }

  /** Joins the coefficients of two parts. */
  private void two(int at, int each, int turn) {
    double re = real[at + each] * cosines[turn] - imaginary[at + each] * sines[turn];
    double im = real[at + each] * sines[turn] + imaginary[at + each] * cosines[turn];
    real[at + each] = real[at] - re;
    imaginary[at + each] = imaginary[at] - im;
    real[at] += re;
    imaginary[at] += im;
  }

  /** Joins the coefficients of several parts, by the definition. */
  private void join(int at, int each, int factor, int k, int step) {
    for (int part = 0; part < factor; part++) {
      partReal[part] = real[at + part * each];
      partImaginary[part] = imaginary[at + part * each];
    }
    for (int q = 0; q < factor; q++) {
      long turn = (long) (q * each + k) * step;
      double re = 0;
      double im = 0;
      for (int part = 0; part < factor; part++) {
        int angle = (int) (turn * part % length);
        re += partReal[part] * cosines[angle] - partImaginary[part] * sines[angle];
        im += partReal[part] * sines[angle] + partImaginary[part] * cosines[angle];
      }
      real[at + q * each] = re;
      imaginary[at + q * each] = im;
    }
  }

  /** The smallest prime that divides a number above 1. */
  private static int factor(int count) {
    for (int factor = 2; (long) factor * factor <= count; factor++) {
      if (count % factor == 0) {
        return factor;
      }
    }
    return count;
  }
}
