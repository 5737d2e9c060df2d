package dev.filigree.kernels.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The order in which a tile adds up its products, which decides the last bit of each sum. */
final class DenseTilesTest {
  /** Features around every unrolling, and an attention's. */
  private static final int[] FEATURES = {0, 1, 2, 3, 5, 8, 17, 32, 65};

  @Test
  void aTileInOrderAddsOneProductAfterTheOther() {
    SplittableRandom random = Legs.random("in order");
    for (int vectors = 1; vectors <= 9; vectors++) {
      int tokens = vectors * Lanes.COUNT;
      for (int k : FEATURES) {
        float[] x = Legs.normal(random, k * tokens);
        float[] w = Legs.normal(random, 3 + k * DenseTiles.OUTPUTS);
        float[] y = Legs.normal(random, DenseTiles.OUTPUTS * tokens);
        float[] result = inOrder(x, tokens, w, 3, k, y);
        for (int output = 0; output < DenseTiles.OUTPUTS; output++) {
          for (int t = 0; t < tokens; t++) {
            float sum = 0;
            for (int i = 0; i < k; i++) {
              sum = Math.fma(w[3 + i * DenseTiles.OUTPUTS + output], x[i * tokens + t], sum);
            }
            int at = output * tokens + t;
            assertEquals(y[at] + sum, result[at], k + " features of " + tokens + " tokens");
          }
        }
      }
    }
  }

  private static float[] inOrder(float[] x, int tokens, float[] w, int at, int k, float[] y) {
    try (Arena arena = Arena.ofConfined()) {
      long row = (long) tokens * Float.BYTES;
      MemorySegment inputs = arena.allocate(Math.max(row, x.length * (long) Float.BYTES), 64);
      MemorySegment outputs = arena.allocate(y.length * (long) Float.BYTES, 64);
      MemorySegment.copy(x, 0, inputs, DType.FLOAT, 0, x.length);
      MemorySegment.copy(y, 0, outputs, DType.FLOAT, 0, y.length);
      DenseTiles.tileInOrder(inputs.address(), row, tokens, w, at, k, outputs.address(), row);
      return outputs.toArray(DType.FLOAT);
    }
  }
}
