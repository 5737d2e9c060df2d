package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Packed integers of compressed-tensors, GPTQ and AWQ, packed here one value at a time. */
class PackedLayersTest {
  private static final int[] AWQ = {0, 2, 4, 6, 1, 3, 5, 7};

  @TempDir private Path folder;
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  private static String scheme(int bits, int group) {
    return """
    {"num_bits": %d, "type": "int", "strategy": "%s", "group_size": %s, "symmetric": true}\
    """
        .formatted(bits, group > 0 ? "group" : "channel", group > 0 ? group : "null");
  }

  @Test
  void wordsOfThePublishedExamplesHoldTheirValues() {
    float[] four =
        new CheckpointFolder(folder.resolve("4"))
            .config(CheckpointFolder.compressedTensors("pack-quantized", scheme(4, -1)))
            .ints("m.weight_packed", new int[] {1985229328, 52137}, 1, 2)
            .longs("m.weight_shape", new long[] {1, 12}, 2)
            .floats("m.weight_scale", new float[] {1}, 1, 1)
            .weights(arena, "m", 1, 12);
    Floats.assertSameBits(new float[] {-8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4}, four);
    float[] eight =
        new CheckpointFolder(folder.resolve("8"))
            .config(CheckpointFolder.compressedTensors("pack-quantized", scheme(8, -1)))
            .ints("m.weight_packed", new int[] {-2071756159, 50462976}, 1, 2)
            .ints("m.weight_shape", new int[] {1, 8}, 2)
            .floats("m.weight_scale", new float[] {2}, 1, 1)
            .weights(arena, "m", 1, 8);
    Floats.assertSameBits(new float[] {2, 4, 6, 8, -256, -254, -252, -250}, eight);
  }

  /** A layer of unsigned codes with scales and zero points of groups. */
  private record Layer(
      int rows, int columns, int bits, int group, int[] codes, float[] scales, int[] zeros) {
    static Layer of(Samples samples, int bits, int rows, int columns, int group) {
      int groups = Math.ceilDiv(columns, group);
      int[] codes = new int[rows * columns];
      for (int i = 0; i < codes.length; i++) {
        codes[i] = samples.between(0, (1 << bits) - 1);
      }
      float[] scales = new float[rows * groups];
      int[] zeros = new int[rows * groups];
      for (int i = 0; i < scales.length; i++) {
        scales[i] = Float.float16ToFloat(Float.floatToFloat16(samples.between(1, 99) / 64f));
        zeros[i] = samples.between(1, (1 << bits) - 1);
      }
      return new Layer(rows, columns, bits, group, codes, scales, zeros);
    }

    int groups() {
      return Math.ceilDiv(columns, group);
    }

    float[] dense(boolean symmetric, int[] groupOf) {
      float[] dense = new float[codes.length];
      for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
          int inOrder = groupOf == null ? column / group : groupOf[column];
          int at = row * groups() + inOrder;
          int zero = symmetric ? 1 << bits - 1 : zeros[at];
          dense[row * columns + column] = (codes[row * columns + column] - zero) * scales[at];
        }
      }
      return dense;
    }
  }

  /** Places values in words, either as a stream of bits or as many whole ones as a word holds. */
  private static int[] pack(int[] values, int bits, boolean stream) {
    int perWord = 32 / bits;
    int[] words =
        new int
            [stream
                ? Math.ceilDiv(values.length * bits, 32)
                : Math.ceilDiv(values.length, perWord)];
    for (int i = 0; i < values.length; i++) {
      for (int bit = 0; bit < bits; bit++) {
        int to = stream ? i * bits + bit : i / perWord * 32 + i % perWord * bits + bit;
        words[to / 32] |= (values[i] >>> bit & 1) << to % 32;
      }
    }
    return words;
  }

  private static int[] row(int[] matrix, int columns, int row) {
    return java.util.Arrays.copyOfRange(matrix, row * columns, (row + 1) * columns);
  }

  private static int[] column(int[] matrix, int columns, int column) {
    int[] values = new int[matrix.length / columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = matrix[i * columns + column];
    }
    return values;
  }

  @Seeded(60)
  void packQuantizedHasEveryWidthInBothLayouts(Samples samples) {
    int bits = samples.between(2, 8);
    boolean stream = samples.chance(0.5);
    boolean symmetric = samples.chance(0.5);
    int columns = samples.between(1, 70);
    int rows = samples.between(1, 9);
    Layer layer = Layer.of(samples, bits, rows, columns, samples.between(1, columns));
    int groups = layer.groups();
    int[] words = null;
    for (int row = 0; row < rows; row++) {
      int[] packed = pack(row(layer.codes, columns, row), bits, stream);
      words = words == null ? new int[rows * packed.length] : words;
      System.arraycopy(packed, 0, words, row * packed.length, packed.length);
    }
    String version = stream ? "0.18.0" : "0.9.2";
    CheckpointFolder checkpoint =
        new CheckpointFolder(folder.resolve(samples.toString()))
            .config(
                CheckpointFolder.compressedTensors("pack-quantized", scheme(bits, layer.group))
                    .replace("0.9.2", version))
            .ints("m.weight_packed", words, rows, words.length / rows)
            .longs("m.weight_shape", new long[] {rows, columns}, 2)
            .halves("m.weight_scale", layer.scales, rows, groups);
    if (!symmetric) {
      int[] zeros = null;
      for (int group = 0; group < groups; group++) {
        int[] packed = pack(column(layer.zeros, groups, group), bits, stream);
        zeros = zeros == null ? new int[groups * packed.length] : zeros;
        for (int word = 0; word < packed.length; word++) {
          zeros[word * groups + group] = packed[word];
        }
      }
      checkpoint.ints("m.weight_zero_point", zeros, zeros.length / groups, groups);
    }
    Floats.assertSameBits(
        layer.dense(symmetric, null), checkpoint.weights(arena, "m", rows, columns));
  }

  @Test
  void anOrderOfActivationsMovesInputsBetweenGroups() {
    Layer layer = Layer.of(new Samples(5), 4, 3, 16, 4);
    int[] groupOf = {3, 0, 1, 2, 2, 1, 0, 3, 0, 0, 1, 1, 2, 2, 3, 3};
    int[] words = new int[6];
    for (int row = 0; row < 3; row++) {
      System.arraycopy(pack(row(layer.codes, 16, row), 4, true), 0, words, row * 2, 2);
    }
    CheckpointFolder checkpoint =
        new CheckpointFolder(folder)
            .config(CheckpointFolder.compressedTensors("pack-quantized", scheme(4, 4)))
            .ints("m.weight_packed", words, 3, 2)
            .longs("m.weight_shape", new long[] {3, 16}, 2)
            .halves("m.weight_scale", layer.scales, 3, 4)
            .ints("m.weight_g_idx", groupOf, 16);
    Floats.assertSameBits(layer.dense(true, groupOf), checkpoint.weights(arena, "m", 3, 16));
  }

  @Seeded(40)
  void gptqIsTurnedAroundExactly(Samples samples) {
    int bits = samples.oneOf(List.of(2, 3, 4, 8));
    int columns = 32 * samples.between(1, 4);
    int rows = 32 * samples.between(1, 3);
    int group = samples.oneOf(List.of(32, columns));
    boolean second = samples.chance(0.5);
    boolean ordered = samples.chance(0.5);
    Layer layer = Layer.of(samples, bits, rows, columns, group);
    int groups = layer.groups();
    int[] groupOf = new int[columns];
    for (int column = 0; column < columns; column++) {
      groupOf[column] = ordered ? column / group : samples.between(0, groups - 1);
    }
    int wordsOfInputs = columns * bits / 32;
    int[] words = new int[wordsOfInputs * rows];
    for (int row = 0; row < rows; row++) {
      int[] packed = pack(row(layer.codes, columns, row), bits, true);
      for (int word = 0; word < wordsOfInputs; word++) {
        words[word * rows + row] = packed[word];
      }
    }
    float[] scales = new float[groups * rows];
    int[] zeros = new int[groups * rows * bits / 32];
    for (int g = 0; g < groups; g++) {
      int[] ofGroup = column(layer.zeros, groups, g);
      for (int row = 0; row < rows; row++) {
        scales[g * rows + row] = layer.scales[row * groups + g];
        ofGroup[row] -= second ? 0 : 1;
      }
      int[] packed = pack(ofGroup, bits, true);
      System.arraycopy(packed, 0, zeros, g * packed.length, packed.length);
    }
    CheckpointFolder checkpoint =
        new CheckpointFolder(folder.resolve(samples.toString()))
            .config(
                """
                {"quantization_config": {"quant_method": "gptq", "bits": %d, "group_size": %d,
                 "desc_act": true, "sym": false, "checkpoint_format": "%s"}}\
                """
                    .formatted(bits, group == columns ? -1 : group, second ? "gptq_v2" : "gptq"))
            .ints("m.qweight", words, wordsOfInputs, rows)
            .ints("m.qzeros", zeros, groups, zeros.length / groups)
            .halves("m.scales", scales, groups, rows)
            .ints("m.g_idx", groupOf, columns);
    Floats.assertSameBits(
        layer.dense(false, groupOf), checkpoint.weights(arena, "m", rows, columns));
  }

  @Seeded(20)
  void awqIsTurnedAroundExactly(Samples samples) {
    int columns = 8 * samples.between(2, 9);
    int rows = 8 * samples.between(1, 5);
    Layer layer = Layer.of(samples, 4, rows, columns, 8);
    int groups = layer.groups();
    int[] words = new int[columns * rows / 8];
    int[] zeros = new int[groups * rows / 8];
    float[] scales = new float[groups * rows];
    for (int row = 0; row < rows; row++) {
      int nibble = 0;
      while (AWQ[nibble] != row % 8) {
        nibble++;
      }
      for (int column = 0; column < columns; column++) {
        words[column * rows / 8 + row / 8] |= layer.codes[row * columns + column] << 4 * nibble;
      }
      for (int group = 0; group < groups; group++) {
        zeros[group * rows / 8 + row / 8] |= layer.zeros[row * groups + group] << 4 * nibble;
        scales[group * rows + row] = layer.scales[row * groups + group];
      }
    }
    CheckpointFolder checkpoint =
        new CheckpointFolder(folder.resolve(samples.toString()))
            .config(
                """
                {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 8,
                 "zero_point": true, "version": "gemm"}}\
                """)
            .ints("m.qweight", words, columns, rows / 8)
            .ints("m.qzeros", zeros, groups, rows / 8)
            .halves("m.scales", scales, groups, rows);
    Floats.assertSameBits(layer.dense(false, null), checkpoint.weights(arena, "m", rows, columns));
  }

  @Test
  void packedIntegersStayInTheFileWhenTheirWordsHaveNoGaps() {
    int rows = 64;
    int columns = 256;
    Weights weights =
        new CheckpointFolder(folder)
            .config(CheckpointFolder.compressedTensors("pack-quantized", scheme(4, 128)))
            .ints("m.weight_packed", new int[rows * columns / 8], rows, columns / 8)
            .longs("m.weight_shape", new long[] {rows, columns}, 2)
            .halves("m.weight_scale", new float[rows * 2], rows, 2)
            .layers(arena)
            .weights("m", rows, columns);
    assertEquals(4.125, weights.bitsPerWeight());
  }

  @Test
  void aLayerWithoutASchemeSaysWhatIsMissing() {
    FormatException failed =
        assertThrows(
            FormatException.class,
            () ->
                new CheckpointFolder(folder)
                    .ints("m.weight_packed", new int[1], 1, 1)
                    .longs("m.weight_shape", new long[] {1, 8}, 2)
                    .floats("m.weight_scale", new float[1], 1, 1)
                    .weights(arena, "m", 1, 8));
    assertTrue(failed.getMessage().contains("layer m"), failed.getMessage());
    assertTrue(failed.getMessage().contains("how many bits"), failed.getMessage());
  }
}
