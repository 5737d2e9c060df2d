package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Metadata24Test {
  private static final Set<Integer> LEGAL = Set.of(0x4, 0x8, 0x9, 0xC, 0xD, 0xE);

  private static final Sparse24.Encoder F32 =
      (kept, rows, perRow) -> FloatValues.of(DType.F32, kept);

  @ParameterizedTest
  @CsvSource({"0011, 4", "0101, 8", "0110, 9", "1001, C", "1010, D", "1100, E"})
  void aNibbleHoldsThePositionsOfTheTwoKeptColumnsLowerFirst(String mask, String nibble) {
    // the text of the mask reads from column 3 down to column 0
    int bits = Integer.parseInt(mask, 2);
    int code = Integer.parseInt(nibble, 16);
    assertEquals(code, Metadata24.nibble(bits));
    assertEquals(bits, Metadata24.mask(code));
  }

  @Test
  void onlySixNibblesAreLegal() {
    for (int nibble = 0; nibble < 64; nibble++) {
      int candidate = nibble;
      if (LEGAL.contains(nibble)) {
        assertEquals(2, Integer.bitCount(Metadata24.mask(nibble)));
      } else {
        WeightsException refusal =
            assertThrows(WeightsException.class, () -> Metadata24.mask(candidate));
        assertEquals("use one of 4, 8, 9, C, D, E", refusal.remedy());
      }
    }
  }

  @Test
  void onlyMasksOfTwoColumnsHaveANibble() {
    for (int mask = 0; mask < 16; mask++) {
      int candidate = mask;
      if (Integer.bitCount(mask) == 2) {
        assertTrue(LEGAL.contains(Metadata24.nibble(mask)));
      } else {
        WeightsException refusal =
            assertThrows(WeightsException.class, () -> Metadata24.nibble(candidate));
        assertTrue(refusal.problem().contains("keeps " + Integer.bitCount(mask) + " columns"));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0000, E", "1000, E", "0100, E", "0010, 9", "0001, 8", "0011, 4", "0101, 8", "0110, 9",
    "1001, C", "1010, D", "1100, E"
  })
  void groupsOfFewerThanTwoSurvivorsAreFilledAsPyTorchDoes(String survivors, String nibble) {
    int bits = Integer.parseInt(survivors, 2);
    Mask keep = Mask.of(1, 4, (row, column) -> (bits >> column & 1) != 0);
    Sparse24 packed = Sparse24.pack(Dense.of(1, 4, new float[] {1, 2, 3, 4}), keep, F32);
    assertEquals(Integer.parseInt(nibble, 16) | 0xEEE0, Metadata24.words(packed, 16)[0] & 0xffff);
  }

  @Seeded(200)
  void metadataIsAlwaysLegalAndNamesTheKeptColumns(Samples samples) {
    int rows = samples.between(1, 6);
    int columns = samples.between(1, 70);
    Mask keep = samples.mask24(rows, columns);
    Sparse24 packed =
        Sparse24.pack(Dense.of(rows, columns, samples.normal(rows * columns)), keep, F32);
    int padded = Math.ceilDiv(columns, 16) * 16 + 16 * samples.between(0, 2);
    short[] words = Metadata24.words(packed, padded);
    assertEquals(rows * padded / 16, words.length);
    for (int row = 0; row < rows; row++) {
      for (int group = 0; group < padded / 4; group++) {
        int nibble = words[row * padded / 16 + group / 4] >> group % 4 * 4 & 0xf;
        assertTrue(LEGAL.contains(nibble), "nibble " + nibble);
        int kept = Metadata24.mask(nibble);
        if (group < packed.groups()) {
          assertEquals(packed.mask().group(row, group), kept);
          for (int column = group * 4; column < Math.min(columns, group * 4 + 4); column++) {
            boolean described = (kept >> column % 4 & 1) != 0;
            assertTrue(described || !keep.kept(row, column), "column " + column + " is lost");
          }
        } else {
          assertEquals(0xE, nibble, "padding of row " + row);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 16, 24, 40})
  void paddingMustReachTheLastColumnInWholeWords(int padded) {
    Sparse24 packed = Sparse24.pack(Dense.of(1, 20, new float[20]), Mask.none(1, 20), F32);
    WeightsException refusal =
        assertThrows(WeightsException.class, () -> Metadata24.words(packed, padded));
    assertEquals("metadata of 20 columns cannot be padded to " + padded, refusal.problem());
  }
}
