package dev.filigree.kernels.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Weights and what is taken from them: together what they were, apart within 16 bits. */
class RemaindersTest {
  private static final int ROWS = 5;
  private static final int COLUMNS = 64;

  /** The greatest sum of weights of one sign whose products with 255 fit 16 bits. */
  private static final int MOST = Short.MAX_VALUE / 255;

  private static byte[] filled(int value) {
    byte[] weights = new byte[ROWS * COLUMNS];
    Arrays.fill(weights, (byte) value);
    return weights;
  }

  @Test
  void weightsOfAnyKindAreSplitIntoPartsThatCannotSaturate() {
    check(filled(127));
    check(filled(-128));
    check(filled(0));
    byte[] alternating = filled(127);
    for (int i = 0; i < alternating.length; i += 2) {
      alternating[i] = -128;
    }
    check(alternating);
    SplittableRandom random = new SplittableRandom(3);
    for (int i = 0; i < 20; i++) {
      byte[] weights = new byte[ROWS * COLUMNS];
      random.nextBytes(weights);
      check(weights);
    }
  }

  @Test
  void smallWeightsStayAsTheyAre() {
    byte[] weights = new byte[ROWS * COLUMNS];
    SplittableRandom random = new SplittableRandom(4);
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (byte) random.nextInt(-32, 33);
    }
    byte[] bounded = weights.clone();
    Remainders remainders = Remainders.take(MemorySegment.ofArray(bounded), ROWS, COLUMNS);
    assertEquals(0, remainders.groups().byteSize());
    assertTrue(Arrays.equals(weights, bounded));
  }

  private static void check(byte[] weights) {
    byte[] bounded = weights.clone();
    Remainders remainders = Remainders.take(MemorySegment.ofArray(bounded), ROWS, COLUMNS);
    int[] sums = new int[weights.length];
    for (int o = 0; o < ROWS; o++) {
      for (int k = 0; k < COLUMNS; k++) {
        sums[o * COLUMNS + k] = bounded[o * COLUMNS + k];
      }
      for (int at = o * COLUMNS; at < (o + 1) * COLUMNS; at += 8) {
        assertFits(bounded[at], bounded[at + 1], bounded[at + 4], bounded[at + 5]);
        assertFits(bounded[at + 2], bounded[at + 3], bounded[at + 6], bounded[at + 7]);
      }
      int end = remainders.starts().getAtIndex(DType.INT, o + 1);
      for (int e = remainders.starts().getAtIndex(DType.INT, o); e < end; e++) {
        int group = remainders.groups().getAtIndex(DType.INT, e);
        byte[] four = new byte[4];
        for (int j = 0; j < 4; j++) {
          four[j] = (byte) (remainders.bytes().getAtIndex(DType.INT, e) >> 8 * j);
          sums[o * COLUMNS + 4 * group + j] += four[j];
        }
        assertFits(four[0], four[1]);
        assertFits(four[2], four[3]);
      }
    }
    for (int i = 0; i < weights.length; i++) {
      assertEquals(weights[i], sums[i]);
    }
  }

  private static void assertFits(int... lane) {
    assertTrue(Arrays.stream(lane).filter(w -> w > 0).sum() <= MOST, () -> Arrays.toString(lane));
    assertTrue(Arrays.stream(lane).filter(w -> w < 0).sum() >= -MOST, () -> Arrays.toString(lane));
  }
}
