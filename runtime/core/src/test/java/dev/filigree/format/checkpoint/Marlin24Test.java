package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.UnsupportedException;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Marlin-24, whose writer is followed step by step here: compress, transpose, tile, permute, pack.
 */
class Marlin24Test {
  @TempDir private Path folder;
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  @Test
  void theOrderIsAPermutationForBothWidths() {
    for (int bits : new int[] {4, 8}) {
      int[] sorted = Marlin24.order(bits).clone();
      Arrays.sort(sorted);
      for (int i = 0; i < sorted.length; i++) {
        assertEquals(i, sorted[i]);
      }
    }
  }

  @Test
  void metadataPlacesAreAPermutation() {
    boolean[] taken = new boolean[128 * 4];
    for (int row = 0; row < 128; row++) {
      for (int column = 0; column < 4; column++) {
        int place = (int) Marlin24.place(row, column, 128);
        assertTrue(!taken[place], "place " + place + " is taken twice");
        taken[place] = true;
      }
    }
  }

  @Seeded(8)
  void aLayerComesBackExactly(Samples samples) {
    int bits = samples.oneOf(List.of(4, 8));
    boolean grouped = samples.chance(0.5);
    int rows = 64 * samples.between(1, 2);
    int columns = 256 * samples.between(1, 3);
    int half = 1 << bits - 1;
    int groups = grouped ? columns / 128 : 1;
    int kept = columns / 2;
    int[] codes = new int[rows * columns];
    int[] compressed = new int[rows * kept];
    int[] metadata = new int[rows * columns / 16];
    for (int row = 0; row < rows; row++) {
      for (int group = 0; group < columns / 4; group++) {
        int first = samples.between(0, 2);
        int second = samples.between(first + 1, 3);
        int a = samples.between(-half, half - 1);
        int b = samples.between(-half, half - 1);
        codes[row * columns + 4 * group + first] = a;
        codes[row * columns + 4 * group + second] = b;
        compressed[row * kept + 2 * group] = a;
        compressed[row * kept + 2 * group + 1] = b;
        metadata[row * columns / 16 + group / 4] |= (first | second << 2) << 4 * (group % 4);
      }
    }
    float[] scales = new float[groups * rows];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = samples.between(1, 64) / 64f;
    }
    float[] expected = new float[codes.length];
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        int group = grouped ? column / 128 : 0;
        expected[row * columns + column] =
            codes[row * columns + column] * scales[group * rows + row];
      }
    }
    boolean permuted = grouped && 128 < kept;
    CheckpointFolder checkpoint =
        new CheckpointFolder(folder.resolve(samples.toString()))
            .config(
                CheckpointFolder.compressedTensors(
                    "marlin-24",
                    """
                    {"num_bits": %d, "type": "int", "strategy": "%s", "group_size": %s,
                     "symmetric": true}\
                    """
                        .formatted(bits, grouped ? "group" : "channel", grouped ? "128" : "null")))
            .ints(
                "m.weight_packed", words(compressed, rows, kept, bits), kept / 16, rows * bits / 2)
            .shorts("m.meta", reordered(metadata, rows, columns / 16), columns / 32, 2L * rows)
            .halves("m.scale_packed", permuted(scales, rows, permuted), groups, rows);
    Floats.assertSameBits(expected, checkpoint.weights(arena, "m", rows, columns));
  }

  /** {@code [in / 2, out]} unsigned codes, in tiles, permuted, packed. */
  private static int[] words(int[] compressed, int rows, int kept, int bits) {
    int half = 1 << bits - 1;
    int perWord = 32 / bits;
    int[] order = Marlin24.order(bits);
    int[] words = new int[kept * rows / perWord];
    for (int tile = 0; tile < kept / 16; tile++) {
      int[] tiled = new int[rows * 16];
      int at = 0;
      for (int tileOfOutputs = 0; tileOfOutputs < rows / 16; tileOfOutputs++) {
        for (int k = 0; k < 16; k++) {
          for (int o = 0; o < 16; o++) {
            tiled[at++] = compressed[(tileOfOutputs * 16 + o) * kept + tile * 16 + k] + half;
          }
        }
      }
      for (int i = 0; i < tiled.length; i++) {
        int value = tiled[i / 1024 * 1024 + order[i % 1024]];
        words[tile * rows * 16 / perWord + i / perWord] |= value << i % perWord * bits;
      }
    }
    return words;
  }

  /** CUTLASS's reordering of 16-bit metadata, as PyTorch's conversion writes it. */
  private static short[] reordered(int[] metadata, int rows, int columns) {
    short[] places = new short[metadata.length];
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        int toRow =
            row / 64 * 64 + row % 2 * 2 + row % 8 / 4 + row % 32 % 4 / 2 * 32 + row % 64 / 8 * 4;
        int toColumn = column;
        if (toRow % 2 == 0 && toColumn % 2 == 1) {
          toRow++;
          toColumn--;
        } else if (toRow % 2 == 1 && toColumn % 2 == 0) {
          toRow--;
          toColumn++;
        }
        places[toColumn / 2 * rows * 2 + toRow * 2 + toColumn % 2] =
            (short) metadata[row * columns + column];
      }
    }
    return places;
  }

  private static float[] permuted(float[] scales, int rows, boolean permuted) {
    int[] order = {0, 4, 1, 5, 2, 6, 3, 7};
    float[] result = scales.clone();
    for (int i = 0; permuted && i < result.length; i++) {
      result[i] = scales[i / 8 * 8 + order[i % 8]];
    }
    return result;
  }

  @Test
  void outputsThatAreNoMultipleOf64AreRefused() {
    UnsupportedException refused =
        assertThrows(
            UnsupportedException.class,
            () ->
                new CheckpointFolder(folder)
                    .config(
                        CheckpointFolder.compressedTensors(
                            "marlin-24", "{\"num_bits\": 4, \"symmetric\": true}"))
                    .ints("m.weight_packed", new int[64], 1, 64)
                    .shorts("m.meta", new short[64], 1, 64)
                    .halves("m.scale_packed", new float[32], 1, 32)
                    .weights(arena, "m", 32, 32));
    assertTrue(refused.getMessage().contains("multiples of 64"), refused.getMessage());
  }
}
