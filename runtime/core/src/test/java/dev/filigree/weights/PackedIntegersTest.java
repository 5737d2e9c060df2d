package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackedIntegersTest {
  private static int[] words(int bits, int... codes) {
    byte[] bytes = new byte[codes.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) codes[i];
    }
    return PackedIntegers.of(bits, codes.length, codes.length, bytes, DType.F32, new float[] {1})
        .words()
        .toArray(DType.INT);
  }

  /** The examples in the tests of compressed-tensors. */
  @Test
  void wordsAreThePublishedOnes() {
    assertArrayEquals(new int[] {9}, words(4, 1));
    assertArrayEquals(new int[] {52137}, words(4, 1, 2, 3, 4));
    assertArrayEquals(new int[] {1985229328}, words(4, -8, -7, -6, -5, -4, -3, -2, -1));
    assertArrayEquals(
        new int[] {1985229328, 52137}, words(4, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4));
    assertArrayEquals(new int[] {129}, words(8, 1));
    assertArrayEquals(new int[] {-2071756159}, words(8, 1, 2, 3, 4));
    assertArrayEquals(new int[] {50462976}, words(8, -128, -127, -126, -125));
  }

  @Test
  void aValueOfThreeBitsMayLieInTwoWords() {
    // value 10 takes the bits 30 and 31 of the first word and bit 0 of the second
    assertArrayEquals(
        new int[] {0b01_000_000_000_000_000_000_000_000_000_000, 0b1},
        words(3, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, 1));
  }

  @Seeded(100)
  void everyCodeAndScaleIsReadBackWhereItIs(Samples samples) {
    int bits = samples.between(2, 8);
    int rows = samples.between(1, 5);
    int perRow = samples.between(1, 70);
    int group = samples.between(1, perRow);
    int groups = Math.ceilDiv(perRow, group);
    int half = 1 << bits - 1;
    byte[] codes = new byte[rows * perRow];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) samples.between(-half, half - 1);
    }
    float[] scales = samples.normal(rows * groups);
    PackedIntegers packed = PackedIntegers.of(bits, perRow, group, codes, DType.F32, scales);
    packed.validate("layer", rows);
    float[] all = new float[perRow];
    for (int row = 0; row < rows; row++) {
      packed.decode(row, (long) row * perRow, 1, perRow, all, 0);
      for (int i = 0; i < perRow; i++) {
        float expected = codes[row * perRow + i] * scales[row * groups + i / group];
        assertEquals(expected, all[i], 0f, "row " + row + ", value " + i);
      }
    }
    // every second value from some start on, as a strided reader sees them
    int start = samples.between(0, perRow - 1);
    int count = (perRow - start + 1) / 2;
    float[] strided = new float[count];
    packed.decode(0, start, 2, count, strided, 0);
    packed.decode(0, 0, 1, perRow, all, 0);
    for (int i = 0; i < count; i++) {
      assertEquals(all[start + 2 * i], strided[i], 0f);
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 4, 4", "9, 4, 4", "4, 0, 4", "4, 4, 0"})
  void whatCannotBePackedIsRefused(int bits, int perRow, int group) {
    MemorySegment none = MemorySegment.ofArray(new int[0]);
    assertThrows(
        WeightsException.class,
        () -> new PackedIntegers(bits, perRow, group, none, DType.F32, none));
  }

  @Test
  void aCodeBeyondItsBitsIsRefused() {
    assertThrows(WeightsException.class, () -> words(4, 8));
    assertThrows(WeightsException.class, () -> words(4, -9));
  }

  @Test
  void strayBitsAndScalesThatAreNotFiniteAreFound() {
    MemorySegment words = MemorySegment.ofArray(new int[] {1 << 12});
    MemorySegment one = MemorySegment.ofArray(new float[] {1});
    MemorySegment infinite = MemorySegment.ofArray(new float[] {Float.POSITIVE_INFINITY});
    assertThrows(
        WeightsException.class,
        () -> new PackedIntegers(4, 3, 3, words, DType.F32, one).validate("layer", 1));
    assertThrows(
        WeightsException.class,
        () -> new PackedIntegers(4, 4, 4, words, DType.F32, infinite).validate("layer", 1));
  }
}
