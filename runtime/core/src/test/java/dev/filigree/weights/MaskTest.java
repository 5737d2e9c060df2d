package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class MaskTest {
  @Test
  void columnsAreBitsLeastSignificantFirstAsCompressedTensorsPacksThem() {
    byte[] published = {0x5A, (byte) 0xC3, (byte) 0x9C, 0x69};
    Mask mask = new Mask(4, 8, MemorySegment.ofArray(published));
    String[] kept = {"01011010", "11000011", "00111001", "10010110"};
    for (int row = 0; row < 4; row++) {
      for (int column = 0; column < 8; column++) {
        assertEquals(kept[row].charAt(column) == '1', mask.kept(row, column));
      }
    }
    assertEquals(0b1010, mask.group(0, 0));
    assertEquals(0b0101, mask.group(0, 1));
  }

  @Seeded(50)
  void countsAgreeWithTheSingleBits(Samples samples) {
    int rows = samples.between(1, 6);
    int columns = samples.between(1, 40);
    Mask mask = samples.mask(rows, columns, 0.4);
    long all = 0;
    for (int row = 0; row < rows; row++) {
      int inRow = 0;
      for (int column = 0; column < columns; column++) {
        inRow += mask.kept(row, column) ? 1 : 0;
      }
      assertEquals(inRow, mask.keptInRow(row));
      all += inRow;
    }
    assertEquals(all, mask.kept());
    assertEquals((long) rows * Math.ceilDiv(columns, 8), mask.bits().byteSize());
  }

  @Seeded(100)
  void oneWrongGroupAmongManyIsFound(Samples samples) {
    // beyond what is looked at in one go, and every length of the rest
    int rows = samples.chance(0.2) ? samples.between(5000, 9000) : samples.between(1, 40);
    int columns = 8 * samples.between(1, 9);
    Mask mask = Mask.of(rows, columns, (row, column) -> (column + row) % 4 < 2);
    assertTrue(mask.everyNibbleKeepsTwo());
    int row = samples.between(0, rows - 1);
    int column = samples.between(0, columns - 1);
    long at = (long) row * mask.bytesPerRow() + column / 8;
    byte flipped = (byte) (mask.bits().get(DType.BYTE, at) ^ 1 << column % 8);
    mask.bits().set(DType.BYTE, at, flipped);
    assertFalse(mask.everyNibbleKeepsTwo());
  }

  @Test
  void aMaskOfNothingHasNoWrongGroup() {
    assertTrue(Mask.none(0, 8).everyNibbleKeepsTwo());
    assertFalse(Mask.none(1, 8).everyNibbleKeepsTwo());
  }

  @Seeded(50)
  void bitsBeyondTheLastColumnAreFound(Samples samples) {
    int rows = samples.between(1, 5);
    int columns = 8 * samples.between(0, 3) + samples.between(1, 7);
    Mask mask = samples.mask(rows, columns, 0.5);
    assertFalse(mask.hasStrayBits());
    int row = samples.between(0, rows - 1);
    mask.bits()
        .set(
            DType.BYTE,
            (long) (row + 1) * mask.bytesPerRow() - 1,
            (byte) (1 << samples.between(columns % 8, 7)));
    assertTrue(mask.hasStrayBits());
  }

  @Test
  void theNumberOfBytesMustFitRowsAndColumns() {
    WeightsException refusal =
        assertThrows(
            WeightsException.class, () -> new Mask(3, 9, MemorySegment.ofArray(new byte[5])));
    assertEquals("a mask of 3 x 9 takes 6 bytes but has 5", refusal.problem());
  }

  @Test
  void extentsThatOverflowAreRefused() {
    MemorySegment nothing = MemorySegment.ofArray(new byte[0]);
    assertThrows(WeightsException.class, () -> new Mask(1, Integer.MAX_VALUE, nothing));
    assertThrows(WeightsException.class, () -> new Mask(-1, 8, nothing));
    assertThrows(WeightsException.class, () -> new Mask(0, -8, nothing));
  }
}
