package dev.filigree.testing;

import org.junit.jupiter.api.Assertions;

/** Assertions on arrays of floats. */
public final class Floats {
  private Floats() {}

  /** What makes a signalling NaN quiet. */
  private static final int QUIET = 1 << 22;

  /**
   * Every float has the bits expected: negative zero is not zero, and payloads of NaN count. Only
   * whether a NaN signals does not: a conversion to double and back makes it quiet, and the
   * compiler may leave that out.
   */
  public static void assertSameBits(float[] expected, float[] actual) {
    Assertions.assertEquals(expected.length, actual.length, "number of values");
    for (int i = 0; i < expected.length; i++) {
      int wanted = Float.floatToRawIntBits(expected[i]);
      int found = Float.floatToRawIntBits(actual[i]);
      boolean nan = Float.isNaN(expected[i]) && Float.isNaN(actual[i]);
      if (nan ? (wanted | QUIET) != (found | QUIET) : wanted != found) {
        Assertions.fail(
            "value %d is %s (0x%08x) instead of %s (0x%08x)"
                .formatted(i, actual[i], found, expected[i], wanted));
      }
    }
  }

  /**
   * Every float is near the one expected, as near as sums of so many terms computed in another
   * order are: within {@code terms} units in the last place of the largest expected magnitude, or
   * of 1 if that is larger. A NaN must meet a NaN, an infinity the same infinity.
   *
   * @param terms length of the sums, for example the reduction axis K
   */
  public static void assertClose(float[] expected, float[] actual, int terms) {
    Assertions.assertEquals(expected.length, actual.length, "number of values");
    float largest = 1;
    for (float value : expected) {
      if (Float.isFinite(value)) {
        largest = Math.max(largest, Math.abs(value));
      }
    }
    double tolerance = (double) terms * Math.ulp(largest);
    for (int i = 0; i < expected.length; i++) {
      boolean same = Float.compare(expected[i], actual[i]) == 0;
      // written so that a NaN on one side alone fails
      if (!same && !(Math.abs((double) expected[i] - actual[i]) <= tolerance)) {
        Assertions.fail(
            "value %d is %s instead of %s: off by %s, tolerance %s"
                .formatted(
                    i, actual[i], expected[i], Math.abs(expected[i] - actual[i]), tolerance));
      }
    }
  }
}
