package dev.filigree.kernel.fused;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.List;
import org.junit.jupiter.api.Test;

class LinearBiasTest {
  @Test
  void headsBeyondAPowerOfTwoHaveSlopesBetweenTheOthers() {
    List<Float> four = List.of(1 / 4f, 1 / 16f, 1 / 64f, 1 / 256f);
    assertEquals(four, LinearBias.of(4, 1, false, false).slopes());
    assertEquals(
        List.of(1 / 4f, 1 / 16f, 1 / 64f, 1 / 256f, 1 / 2f, 1 / 8f),
        LinearBias.of(6, 1, false, false).slopes());
  }

  @Test
  void placesCountByTheSlopeAndTheFactor() {
    assertEquals(0.5f * 257 / 4, LinearBias.of(4, 0.5, false, false).at(0, 257));
    assertFalse(LinearBias.NONE.isPresent());
  }

  /** torch 2.13: {@code torch.tensor([2 ** -0.5]).bfloat16() * torch.tensor([3, 257])}. */
  @Test
  void roundedSlopesPlacesAndProductsAreBfloat16() {
    LinearBias rounded = LinearBias.of(9, 1, true, false);
    assertEquals(0.70703125f, rounded.slopes().get(8));
    assertEquals(2.125f, rounded.at(8, 3));
    assertEquals(181, rounded.at(8, 257));
  }

  @Test
  void nearKeysOfLongTextsLoseNothingWherePlacesCountFromTheLast() {
    float slope = LinearBias.of(16, 1, false, true).slopes().getFirst();
    assertEquals(-slope, LinearBias.of(16, 1, false, true).below(0, 65_534, 65_535));
    assertEquals(-slope, LinearBias.of(16, 1, false, false).below(0, 65_534, 65_535), 4e-3);
  }
}
