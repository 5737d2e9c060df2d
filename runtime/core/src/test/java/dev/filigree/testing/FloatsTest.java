package dev.filigree.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.opentest4j.AssertionFailedError;

class FloatsTest {
  @Test
  void bitsTellNegativeZeroAndNanPayloadsApart() {
    float payload = Float.intBitsToFloat(0x7fc0_0001);
    Floats.assertSameBits(new float[] {-0f, payload}, new float[] {-0f, payload});
    refusesBits(0f, -0f);
    refusesBits(Float.NaN, payload);
  }

  @Test
  void toleranceGrowsWithTheNumberOfTerms() {
    float[] one = {1};
    float[] off = {1 + 3 * Math.ulp(1f)};
    Floats.assertClose(one, off, 3);
    AssertionFailedError refusal =
        assertThrows(AssertionFailedError.class, () -> Floats.assertClose(one, off, 2));
    assertTrue(refusal.getMessage().startsWith("value 0 is 1.0000004 instead of 1.0"));
  }

  @Test
  void aNanOrInfinityOnOneSideAloneIsFar() {
    float[] special = {Float.NaN, Float.POSITIVE_INFINITY};
    Floats.assertClose(special, special.clone(), 1);
    refusesClose(1, Float.NaN);
    refusesClose(Float.NaN, 1);
    refusesClose(Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);
    refusesClose(1, Float.POSITIVE_INFINITY);
  }

  @Test
  void arraysOfDifferentLengthAreNeverEqual() {
    assertThrows(
        AssertionFailedError.class, () -> Floats.assertClose(new float[1], new float[2], 9));
    assertThrows(
        AssertionFailedError.class, () -> Floats.assertSameBits(new float[1], new float[0]));
  }

  @Seeded(3)
  void theSameSeedGivesTheSameData(Samples samples) {
    long seed = Long.parseLong(samples.toString().substring("seed ".length()));
    Floats.assertSameBits(samples.anyFloats(50), new Samples(seed).anyFloats(50));
    assertEquals("seed " + seed, samples.toString());
  }

  private static void refusesBits(float expected, float actual) {
    assertThrows(
        AssertionFailedError.class,
        () -> Floats.assertSameBits(new float[] {expected}, new float[] {actual}));
  }

  private static void refusesClose(float expected, float actual) {
    assertThrows(
        AssertionFailedError.class,
        () -> Floats.assertClose(new float[] {expected}, new float[] {actual}, 1_000_000));
  }
}
