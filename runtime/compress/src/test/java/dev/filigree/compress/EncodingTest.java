package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Values;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EncodingTest {
  private static float[] decode(Values values, int rows, int perRow) {
    float[] all = new float[rows * perRow];
    for (int row = 0; row < rows; row++) {
      values.decode(row, (long) row * perRow, 1, perRow, all, row * perRow);
    }
    return all;
  }

  private static int code(IntegerValues values, int i) {
    return values.codes().get(DType.BYTE, i);
  }

  private static IntegerValues int8(int rows, float... values) {
    return (IntegerValues) Encoding.Integers.INT8.encode(values, rows, values.length / rows);
  }

  @Test
  void int8HasAScaleForEachRowThatMapsItsLargestToTheEndOfTheRange() {
    IntegerValues values = int8(2, 1, -0.5f, 0, -255, 2, 100);
    assertEquals(1 / 127.5f, values.scale(0));
    assertEquals(2f, values.scale(1));
    assertEquals(0, values.zeroPoint(0));
    assertEquals(127, code(values, 0));
    assertEquals(-64, code(values, 1));
    assertEquals(0, code(values, 2));
    assertEquals(-128, code(values, 3));
    assertEquals(1, code(values, 4));
    assertEquals(50, code(values, 5));
  }

  @Test
  void int8RoundsHalvesToEven() {
    // the scale is 2
    IntegerValues values = int8(1, 255, 1, 3, 5, -1, -3, -5);
    int[] expected = {127, 0, 2, 2, 0, -2, -2};
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], code(values, i), "value " + i);
    }
  }

  @Test
  void aRowOfZerosOrOfNextToNothingStaysZero() {
    IntegerValues values = int8(2, 0, -0f, 0, Float.MIN_VALUE, -Float.MIN_VALUE, 0);
    Floats.assertSameBits(new float[6], decode(values, 2, 3));
    assertTrue(values.scale(0) > 0 && values.scale(1) > 0);
    values.validate("layer", 2);
  }

  @Seeded(100)
  void int8ErrsByHalfAStepAtMost(Samples samples) {
    int rows = samples.between(1, 5);
    int columns = samples.between(1, 50);
    float[] weights = samples.normal(rows * columns);
    IntegerValues values = int8(rows, weights);
    float[] decoded = decode(values, rows, columns);
    for (int i = 0; i < weights.length; i++) {
      float step = values.scale(i / columns);
      // the largest positive weight stands at 127.5 steps, the largest code is 127
      assertEquals(weights[i], decoded[i], 0.5001f * step);
    }
  }

  @Test
  void floatsRoundToTheNearest() {
    float[] values = {1, -0f, 1 / 3f, 65504, 1e-8f};
    Floats.assertSameBits(
        values, decode(new Encoding.Floats(DType.F32).encode(values, 1, 5), 1, 5));
    float[] half = decode(new Encoding.Floats(DType.F16).encode(values, 1, 5), 1, 5);
    for (int i = 0; i < values.length; i++) {
      assertEquals(Float.float16ToFloat(Float.floatToFloat16(values[i])), half[i]);
    }
    float[] brain = decode(new Encoding.Floats(DType.BF16).encode(values, 1, 5), 1, 5);
    assertEquals(1 / 3f, brain[2], 1 / 3f / 256);
  }

  @Seeded(60)
  void everyValueOfACodebookIsTheNearestCentroidAndZeroStaysZero(Samples samples) {
    int rows = samples.between(1, 6);
    int columns = samples.between(1, 60);
    int bits = samples.oneOf(List.of(1, 2, 4));
    int together = samples.between(0, 4);
    Encoding.Granularity granularity =
        switch (together) {
          case 0 -> Encoding.Granularity.TENSOR;
          case 1 -> Encoding.Granularity.ROW;
          default -> Encoding.Granularity.GROUP;
        };
    float[] weights = samples.normal(rows * columns);
    boolean[] pruned = new boolean[weights.length];
    for (int i = 0; i < weights.length; i++) {
      pruned[i] = samples.chance(0.5);
      weights[i] = pruned[i] ? samples.chance(0.5) ? 0f : -0f : weights[i];
    }
    CodeValues values =
        (CodeValues)
            new Encoding.Codes(bits, granularity, together > 1 ? together : 0, null, 1, Double.NaN)
                .encode(weights, rows, columns);
    values.validate("layer", rows);
    assertEquals(
        together == 0 ? 1 : Math.ceilDiv(rows, together),
        values.centroids().byteSize() / Float.BYTES / values.size());
    float[] decoded = decode(values, rows, columns);
    for (int i = 0; i < weights.length; i++) {
      if (pruned[i]) {
        assertEquals(0f, Math.abs(decoded[i]));
      }
      float nearest = Float.POSITIVE_INFINITY;
      for (int code = 0; code < values.size(); code++) {
        float distance = Math.abs(values.centroid(i / columns, code) - weights[i]);
        // codes that no value has are 0, and 0 is no centroid where no value is 0
        nearest =
            isUsed(values, i / columns, columns, code) ? Math.min(nearest, distance) : nearest;
      }
      assertEquals(nearest, Math.abs(decoded[i] - weights[i]));
    }
  }

  /** Whether a code occurs among the rows that share a row's codebook. */
  private static boolean isUsed(CodeValues values, int row, int columns, int code) {
    int together = values.isShared() ? Integer.MAX_VALUE : values.rowsPerBook();
    for (long i = 0; i < values.count(); i++) {
      if (i / columns / together == row / together && values.code(i) == code) {
        return true;
      }
    }
    return false;
  }

  @Test
  void aCodebookOfFewDistinctValuesIsExact() {
    float[] weights = {3, 0, 3, -7, 0, 0.125f, 3, -7};
    for (boolean perRow : new boolean[] {false, true}) {
      Values values = new Encoding.Codes(4, perRow).encode(weights, 2, 4);
      Floats.assertSameBits(weights, decode(values, 2, 4));
    }
  }

  @ParameterizedTest
  @CsvSource({"0.5, 2", "0.15, 4", "0.05, 8", "0.001, 8"})
  void automaticBitsAreTheFewestWithinTheError(double error, int bits) {
    // 0.36, 0.12 and 0.02 are what 2, 4 and 8 bits leave of a normal distribution
    float[] weights = new Samples(7).normal(4000);
    Encoding.Codes codes =
        new Encoding.Codes(Encoding.Codes.AUTO, Encoding.Granularity.TENSOR, 0, null, 1, error);
    CodeValues values = (CodeValues) codes.encode(weights, 10, 400);
    assertEquals(bits, values.bits());
    assertEquals(new Encoding.Codes(bits, false).encode(weights, 10, 400).bytes(), values.bytes());
  }
}
