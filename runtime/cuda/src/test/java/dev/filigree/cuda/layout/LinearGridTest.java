package dev.filigree.cuda.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class LinearGridTest {
  private static final LinearGrid ONE_A_TILE = new LinearGrid(6, 4, 6, 1024);

  @Test
  void aBlockForEachTileNeedsNoWorkspace() {
    assertFalse(ONE_A_TILE.isShared());
  }

  @Test
  void blocksWithWholeTilesEachNeedNoWorkspace() {
    assertFalse(ONE_A_TILE.by(3).isShared());
    assertFalse(ONE_A_TILE.by(1).isShared());
  }

  @Test
  void blocksThatShareTilesHaveTwoSlotsEachBehindTheArrivals() {
    LinearGrid shared = ONE_A_TILE.by(5);
    assertTrue(shared.isShared());
    assertEquals(256, shared.arrivalBytes());
    assertEquals(5 * 2 * 1024, shared.slotsBytes());
    assertTrue(ONE_A_TILE.by(12).isShared());
  }

  @Test
  void moreBlocksThanStepsAreNotUsed() {
    assertEquals(24, ONE_A_TILE.by(1000).blocks());
    assertThrows(IllegalArgumentException.class, () -> new LinearGrid(6, 4, 25, 1024));
  }
}
