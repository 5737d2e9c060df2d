package dev.filigree.cuda.operation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.testing.Samples;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Codes and scales exactly as f32 arithmetic in Java makes them. */
class TokenQuantizationTest extends OperationTest {
  private record Quantized(Tensor codes, float[] scales) {}

  private Quantized onDevice(Tensor x, int tokens, int columns) {
    Rows y = room(DType.I8, Shape.of(tokens, columns), 1);
    DeviceMemory scales = allocate(4L * tokens);
    run(TokenQuantization.quantize(kernels, upload(x), y, scales.address()));
    return new Quantized(download(y, tokens, columns), downloadFloats(scales, tokens));
  }

  private static Quantized reference(Tensor x, int tokens, int columns) {
    Tensor codes = Tensor.zeros(DType.I8, Shape.of(tokens, columns));
    float[] scales = new float[tokens];
    for (int t = 0; t < tokens; t++) {
      float greatest = 0;
      for (int c = 0; c < columns; c++) {
        greatest = Math.max(greatest, Math.abs((float) x.getDouble((long) t * columns + c)));
      }
      boolean zero = greatest < 1e-30f;
      scales[t] = zero ? 0 : greatest / 127;
      if (Float.isFinite(greatest) && !zero) {
        float factor = 127 / greatest;
        for (int c = 0; c < columns; c++) {
          long i = (long) t * columns + c;
          codes.setLong(i, (long) Math.rint((double) ((float) x.getDouble(i) * factor)));
        }
      }
    }
    return new Quantized(codes, scales);
  }

  private static void assertEqual(Quantized expected, Quantized actual) {
    assertArrayEquals(expected.scales, actual.scales);
    assertSame(expected.codes, actual.codes);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1", "2, 7", "3, 8", "4, 9", "5, 16", "3, 33", "7, 384", "2, 768", "2, 1000", "1, 1500",
    "2, 4099"
  })
  void quantisesRowsOfAnyLength(int tokens, int columns) {
    Samples samples = new Samples(columns);
    for (DType dtype : List.of(DType.F16, DType.BF16)) {
      Tensor x = normal(samples, dtype, tokens, columns);
      assertEqual(reference(x, tokens, columns), onDevice(x, tokens, columns));
    }
  }

  @Test
  void tiesGoToTheEvenCode() {
    Tensor x = Tensor.zeros(DType.F16, Shape.of(1, 9));
    double[] values = {127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 63.5, -127};
    for (int i = 0; i < values.length; i++) {
      x.setDouble(i, values[i]);
    }
    Quantized result = onDevice(x, 1, 9);
    assertArrayEquals(new float[] {1}, result.scales);
    long[] codes = {127, 0, 2, 2, 0, -2, -2, 64, -127};
    for (int i = 0; i < codes.length; i++) {
      assertEquals(codes[i], result.codes.getLong(i), "element " + i);
    }
  }

  @Test
  void zerosSubnormalsInfinitiesAndNaNKeepToTheirToken() {
    Tensor x = normal(new Samples(1), DType.BF16, 6, 20);
    for (int c = 0; c < 20; c++) {
      x.setDouble(20 + c, c % 2 == 0 ? 0 : -0.0);
      x.setDouble(40 + c, 1e-40);
    }
    x.setDouble(60 + 3, Double.NEGATIVE_INFINITY);
    x.setDouble(80 + 19, Double.NaN);
    Quantized result = onDevice(x, 6, 20);
    assertEqual(reference(x, 6, 20), result);
    assertEquals(0, result.scales[1]);
    assertEquals(0, result.scales[2]);
    assertEquals(Float.POSITIVE_INFINITY, result.scales[3]);
    assertEquals(Float.NaN, result.scales[4]);
  }
}
