package dev.filigree.graph.pass;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Weights go into as few parts as their largest sum permits. */
final class ExactWeightsTest {
  private static int parts(int[] weights, long... bias) {
    return ExactWeights.of(weights, bias).map(exact -> exact.parts().size()).orElse(0);
  }

  /** Of one output, all alike. */
  private static int[] alike(int count, int weight) {
    int[] weights = new int[count];
    Arrays.fill(weights, weight);
    return weights;
  }

  @Test
  void aSumThatReachesTwoToThe24NeedsOnePartAndAGreaterOneTwo() {
    // 256 * 257 * 255 = 2^24 - 256
    int[] weights = alike(257, 256);
    assertEquals(1, parts(weights, 256));
    assertEquals(2, parts(weights, 257));
    assertEquals(1, parts(weights, -(1 << 24)));
    assertEquals(2, parts(weights, -(1 << 24) - 1));
    // of both signs neither sum goes as far
    int[] mixed = alike(514, 256);
    Arrays.fill(mixed, 257, 514, -256);
    assertEquals(1, parts(mixed, 256));
  }

  @Test
  void partsAreMultiplesOf16AndTheRest() {
    int[] weights = new int[511 * 20];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = i % 511 - 255;
    }
    ExactWeights exact = ExactWeights.of(weights, new long[] {-12_345_678}).orElseThrow();
    float[] high = exact.parts().get(0);
    float[] low = exact.parts().get(1);
    for (int i = 0; i < weights.length; i++) {
      assertEquals(weights[i], high[i] + low[i]);
      assertEquals(0, (int) high[i] % 16);
      assertTrue(low[i] >= -8 && low[i] <= 7);
    }
    assertEquals(-12_345_678, (long) exact.biases().get(0)[0] + (long) exact.biases().get(1)[0]);
  }

  @Test
  void whatNeitherPartHoldsIsRefused() {
    // 24 is 32 - 8, and 8 * 255 * 8225 > 2^24
    assertEquals(2, parts(alike(8224, 24), 0));
    assertEquals(Optional.empty(), ExactWeights.of(alike(8225, 24), new long[1]));
    assertEquals(Optional.empty(), ExactWeights.of(alike(9000, 128), new long[1]));
  }
}
