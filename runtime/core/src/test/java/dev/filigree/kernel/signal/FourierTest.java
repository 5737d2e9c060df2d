package dev.filigree.kernel.signal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import org.junit.jupiter.api.Test;

/** Transforms of any length are those of the definition. */
final class FourierTest {
  private static double[] normal(Samples samples, int count) {
    double[] values = new double[count];
    float[] floats = samples.normal(count);
    for (int i = 0; i < count; i++) {
      values[i] = floats[i];
    }
    return values;
  }

  private static void assertIsByDefinition(int length, Samples samples) {
    double[] real = normal(samples, length);
    double[] imaginary = normal(samples, length);
    Fourier forward = new Fourier(length, false);
    forward.transform(real, imaginary);
    double[] re = new double[length];
    double[] im = new double[length];
    for (int k = 0; k < length; k++) {
      for (int n = 0; n < length; n++) {
        double angle = -2 * Math.PI * ((long) k * n % length) / length;
        re[k] += real[n] * Math.cos(angle) - imaginary[n] * Math.sin(angle);
        im[k] += real[n] * Math.sin(angle) + imaginary[n] * Math.cos(angle);
      }
      assertEquals(re[k], forward.real(k), 1e-11 * length, "real " + k + " of " + length);
      assertEquals(im[k], forward.imaginary(k), 1e-11 * length, "imaginary " + k + " of " + length);
    }
    Fourier back = new Fourier(length, true);
    back.transform(re, im);
    for (int n = 0; n < length; n++) {
      assertEquals(real[n], back.real(n), 1e-11 * length, "real " + n + " of " + length);
      assertEquals(imaginary[n], back.imaginary(n), 1e-11 * length, "imaginary " + n);
    }
  }

  @Seeded(20)
  void transformsAreThoseOfTheDefinition(Samples samples) {
    assertIsByDefinition(samples.between(1, 300), samples);
  }

  @Test
  void lengthsOfEveryKindAreTransformed() {
    for (int length : new int[] {1, 2, 3, 4, 6, 8, 9, 30, 49, 97, 194, 256, 400}) {
      assertIsByDefinition(length, new Samples(length));
    }
  }
}
