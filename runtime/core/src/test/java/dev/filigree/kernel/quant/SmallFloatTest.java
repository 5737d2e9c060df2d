package dev.filigree.kernel.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

final class SmallFloatTest {
  /** Bits of 1, of the least number and of the greatest, and how many there are of NaN. */
  @ParameterizedTest
  @CsvSource({
    "E4M3FN, 0x38, 0x1p-9, 0x7e, 448, 2",
    "E4M3FNUZ, 0x40, 0x1p-10, 0x7f, 240, 1",
    "E5M2, 0x3c, 0x1p-16, 0x7b, 57344, 6",
    "E5M2FNUZ, 0x40, 0x1p-17, 0x7f, 57344, 1"
  })
  void bitsHaveTheirValues(
      SmallFloat form, String one, String least, String most, float greatest, int nans) {
    assertEquals(1, form.decode(Integer.decode(one)));
    assertEquals(Float.parseFloat(least), form.decode(1));
    assertEquals(-Float.parseFloat(least), form.decode(0x81));
    assertEquals(greatest, form.decode(Integer.decode(most)));
    long found = IntStream.range(0, 256).filter(b -> Float.isNaN(form.decode(b))).count();
    assertEquals(nans, found);
  }

  @Test
  void fourBitsAndScalesHaveTheirValues() {
    float[] values = new float[16];
    for (int bits = 0; bits < 16; bits++) {
      values[bits] = SmallFloat.E2M1.decode(bits);
    }
    float[] expected = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
    assertArrayEquals(expected, values);
    assertEquals(2, SmallFloat.E8M0.decode(128));
    assertEquals(0x1p-127f, SmallFloat.E8M0.decode(0));
    assertEquals(Float.NaN, SmallFloat.E8M0.decode(255));
  }

  @ParameterizedTest
  @EnumSource(
      value = SmallFloat.class,
      names = {"E4M3FN", "E4M3FNUZ", "E5M2", "E5M2FNUZ"})
  void aValueStaysAndWhatLiesBetweenTwoGoesToTheEvenOne(SmallFloat form) {
    for (int bits = 0; bits < 0x7f; bits++) {
      float value = form.decode(bits);
      float next = form.decode(bits + 1);
      if (Float.isInfinite(value) || Float.isNaN(value)) {
        continue;
      }
      assertEquals(value, form.round(value, true));
      if (Float.isNaN(next) || Float.isInfinite(next)) {
        continue;
      }
      double middle = ((double) value + next) / 2;
      assertEquals(bits % 2 == 0 ? value : next, form.round(middle, true));
      assertEquals(value, form.round(Math.nextDown(middle), true));
      assertEquals(next, form.round(Math.nextUp(middle), true));
      assertEquals(-next, form.round(-Math.nextUp(middle), true));
    }
  }

  @Test
  void whatIsBeyondSaturatesOrIsNoNumber() {
    assertEquals(448, SmallFloat.E4M3FN.round(463, false));
    assertEquals(448, SmallFloat.E4M3FN.round(Double.POSITIVE_INFINITY, true));
    assertEquals(Float.NaN, SmallFloat.E4M3FN.round(1000, false));
    assertEquals(Float.NaN, SmallFloat.E4M3FN.round(Double.NaN, true));
    assertEquals(-57344, SmallFloat.E5M2.round(-1e9, true));
    assertEquals(Float.NEGATIVE_INFINITY, SmallFloat.E5M2.round(-1e9, false));
    assertEquals(Float.NaN, SmallFloat.E5M2FNUZ.round(1e9, false));
  }
}
