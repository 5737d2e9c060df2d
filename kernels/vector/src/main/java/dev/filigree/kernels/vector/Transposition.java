package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;

/**
 * Moves between row-major rows and panels. It happens once where a model's input becomes
 * activations and once at its output, so it is written for the cache and not for the registers:
 * blocks of 16 tokens by 16 features touch each cache line once.
 */
final class Transposition {
  private static final int BLOCK = 16;

  private Transposition() {}

  static void toPanel(long rows, long panel, int width, int used, int features) {
    for (int t = 0; t < width; t += BLOCK) {
      int lastToken = Math.min(width, t + BLOCK);
      for (int f = 0; f < features; f += BLOCK) {
        int lastFeature = Math.min(features, f + BLOCK);
        for (int j = f; j < lastFeature; j++) {
          for (int i = t; i < lastToken; i++) {
            float value =
                i < used ? ALL.get(DType.FLOAT, rows + ((long) i * features + j) * Float.BYTES) : 0;
            ALL.set(DType.FLOAT, panel + ((long) j * width + i) * Float.BYTES, value);
          }
        }
      }
    }
  }

  static void fromPanel(
      long panel, int width, int used, int features, MemorySegment target, long rows) {
    for (int t = 0; t < used; t += BLOCK) {
      int lastToken = Math.min(used, t + BLOCK);
      for (int f = 0; f < features; f += BLOCK) {
        int lastFeature = Math.min(features, f + BLOCK);
        for (int i = t; i < lastToken; i++) {
          for (int j = f; j < lastFeature; j++) {
            float value = ALL.get(DType.FLOAT, panel + ((long) j * width + i) * Float.BYTES);
            target.set(DType.FLOAT, rows + ((long) i * features + j) * Float.BYTES, value);
          }
        }
      }
    }
  }
}
