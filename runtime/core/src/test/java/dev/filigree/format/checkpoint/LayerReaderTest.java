package dev.filigree.format.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Forms of compressed-tensors that are no packed integers, each written here as its text says. */
class LayerReaderTest {
  private static final String INT8 =
      """
      {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": true}\
      """;

  @TempDir private Path folder;
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  private CheckpointFolder checkpoint() {
    return new CheckpointFolder(folder);
  }

  @Test
  void theBitmaskOfSparse24CountsColumnsFromTheLeastBit() {
    // rows 0x5A, 0xC3, 0x9C, 0x69: the published example of the format
    float[] kept = new float[16];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = i + 1;
    }
    LayerReader layers =
        checkpoint()
            .floats("m.compressed", kept, 4, 4)
            .bytes(
                "m.bitmask",
                SafetensorsType.U8,
                new byte[] {0x5a, (byte) 0xc3, (byte) 0x9c, 0x69},
                4,
                1)
            .longs("m.shape", new long[] {4, 8}, 2, 1)
            .layers(arena);
    Weights weights = layers.weights("m", 4, 8);
    assertTrue(weights instanceof Sparse24, weights.format());
    Floats.assertSameBits(
        new float[] {
          0, 1, 0, 2, 3, 0, 4, 0,
          5, 6, 0, 0, 0, 0, 7, 8,
          0, 0, 9, 10, 11, 0, 0, 12,
          13, 0, 0, 14, 0, 15, 16, 0
        },
        weights.unpack());
  }

  @Seeded(30)
  void sparseLayersComeBackWithNegativeZeroAndNaN(Samples samples) {
    int rows = samples.between(1, 9);
    int columns = samples.between(1, 40);
    Mask mask = samples.mask(rows, columns, 0.4);
    float[] values = samples.anyFloats((int) mask.kept());
    float[] dense = new float[rows * columns];
    long[] offsets = new long[rows];
    int next = 0;
    for (int row = 0; row < rows; row++) {
      offsets[row] = next;
      for (int column = 0; column < columns; column++) {
        dense[row * columns + column] = mask.kept(row, column) ? values[next++] : 0;
      }
    }
    boolean early = samples.chance(0.5);
    String name = early ? "m.weight." : "m.";
    LayerReader layers =
        new CheckpointFolder(folder.resolve(samples.toString()))
            .floats(name + "compressed", values, values.length)
            .add(name + "bitmask", SafetensorsType.U8, mask.bits(), rows, mask.bytesPerRow())
            .longs(name + "row_offsets", offsets, rows)
            .longs(name + "shape", new long[] {rows, columns}, 2)
            .layers(arena);
    Weights weights = layers.weights("m", rows, columns);
    assertTrue(weights instanceof SparseCsr, weights.format());
    Floats.assertSameBits(dense, weights.unpack());
  }

  @Test
  void integersUnderASparseMaskAreScaledByTheirRow() {
    float[] found =
        checkpoint()
            .config(CheckpointFolder.compressedTensors("int-quantized", INT8))
            .bytes("m.compressed", SafetensorsType.I8, new byte[] {4, -8, 127, -128}, 2, 2)
            .bytes("m.bitmask", SafetensorsType.U8, new byte[] {0b0101, 0b1010}, 2, 1)
            .longs("m.shape", new long[] {2, 4}, 2, 1)
            .halves("m.weight_scale", new float[] {0.5f, 2}, 2, 1)
            .weights(arena, "m", 2, 4);
    Floats.assertSameBits(new float[] {2, 0, -4, 0, 0, 254, 0, -256}, found);
  }

  @Test
  void integersHaveScalesAndZeroPointsByTensorRowOrGroup() {
    byte[] codes = {1, 2, 3, 4, -1, -2, -3, -4};
    CheckpointFolder one =
        new CheckpointFolder(folder.resolve("tensor"))
            .bytes("m.weight", SafetensorsType.I8, codes, 2, 4)
            .floats("m.weight_scale", new float[] {0.25f}, 1);
    Floats.assertSameBits(
        new float[] {0.25f, 0.5f, 0.75f, 1, -0.25f, -0.5f, -0.75f, -1},
        one.weights(arena, "m", 2, 4));
    CheckpointFolder rows =
        new CheckpointFolder(folder.resolve("channel"))
            .bytes("m.weight", SafetensorsType.I8, codes, 2, 4)
            .floats("m.weight_scale", new float[] {2, 4}, 2, 1)
            .bytes("m.weight_zero_point", SafetensorsType.I8, new byte[] {1, -1}, 2, 1);
    Floats.assertSameBits(new float[] {0, 2, 4, 6, 0, -4, -8, -12}, rows.weights(arena, "m", 2, 4));
    CheckpointFolder groups =
        new CheckpointFolder(folder.resolve("group"))
            .bytes("m.weight", SafetensorsType.I8, codes, 2, 4)
            .floats("m.weight_scale", new float[] {1, 2, 3, 4}, 2, 2)
            .bytes("m.weight_zero_point", SafetensorsType.I8, new byte[] {0, 1, 0, -1}, 2, 2);
    Floats.assertSameBits(
        new float[] {1, 2, 4, 6, -3, -6, -8, -12}, groups.weights(arena, "m", 2, 4));
  }

  @Test
  void everyByteOfE4m3StandsForItsValue() {
    byte[] codes = new byte[254];
    float[] expected = new float[254];
    int at = 0;
    for (int code = 0; code < 256; code++) {
      if ((code & 0x7f) != 0x7f) {
        codes[at] = (byte) code;
        int exponent = code >> 3 & 15;
        double magnitude =
            exponent == 0
                ? (code & 7) / 8.0 * Math.pow(2, -6)
                : (1 + (code & 7) / 8.0) * Math.pow(2, exponent - 7);
        expected[at++] = (float) (code >= 128 ? -magnitude : magnitude) * 0.5f;
      }
    }
    float[] found =
        checkpoint()
            .bytes("m.weight", SafetensorsType.F8_E4M3, codes, 2, 127)
            .floats("m.weight_scale", new float[] {0.5f}, 1)
            .weights(arena, "m", 2, 127);
    Floats.assertSameBits(expected, found);
    assertEquals(224, found[126], "the largest is 448");
  }

  @Test
  void floatsOfEightBitsScaledByBlocksAreReadByTheirBlocks() {
    byte one = 0x38;
    byte[] codes = new byte[15];
    Arrays.fill(codes, one);
    float[] found =
        checkpoint()
            .config(
                CheckpointFolder.compressedTensors(
                    "float-quantized",
                    """
                    {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": "2x3"}\
                    """))
            .bytes("m.weight", SafetensorsType.F8_E4M3, codes, 3, 5)
            .floats("m.weight_scale", new float[] {1, 2, 3, 4}, 2, 2)
            .weights(arena, "m", 3, 5);
    Floats.assertSameBits(new float[] {1, 1, 1, 2, 2, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4}, found);
  }

  @Test
  void floatsOfEightBitsScaledByGroupsHaveAScaleForEachGroupOfARow() {
    byte[] codes = new byte[10];
    Arrays.fill(codes, (byte) 0x38);
    float[] found =
        checkpoint()
            .config(
                CheckpointFolder.compressedTensors(
                    "float-quantized",
                    """
                    {"num_bits": 8, "type": "float", "strategy": "group", "group_size": 3}\
                    """))
            .bytes("m.weight", SafetensorsType.F8_E4M3, codes, 2, 5)
            .floats("m.weight_scale", new float[] {1, 2, 3, 4}, 2, 2)
            .weights(arena, "m", 2, 5);
    Floats.assertSameBits(new float[] {1, 1, 1, 2, 2, 3, 3, 3, 4, 4}, found);
  }

  @Test
  void contradictionsNameTheLayerAndTheTensor() {
    byte[] bits = {0x5a, 0x5a};
    FormatException missing =
        assertThrows(
            FormatException.class,
            () ->
                new CheckpointFolder(folder.resolve("a"))
                    .floats("m.compressed", new float[8], 2, 4)
                    .bytes("m.bitmask", SafetensorsType.U8, bits, 2, 1)
                    .weights(arena, "m", 2, 8));
    assertTrue(missing.getMessage().contains("layer m: its tensor 'm.shape' is missing"));
    FormatException stray =
        assertThrows(
            FormatException.class,
            () ->
                new CheckpointFolder(folder.resolve("b"))
                    .floats("m.compressed", new float[8], 2, 4)
                    .bytes("m.bitmask", SafetensorsType.U8, new byte[] {0x5a, 0x1a}, 2, 1)
                    .longs("m.shape", new long[] {2, 8}, 2, 1)
                    .weights(arena, "m", 2, 8));
    assertTrue(stray.getMessage().contains("m"), stray.getMessage());
    FormatException other =
        assertThrows(
            FormatException.class,
            () ->
                new CheckpointFolder(folder.resolve("c"))
                    .floats("m.weight", new float[8], 2, 4)
                    .weights(arena, "m", 4, 2));
    assertTrue(other.getMessage().contains("2 x 4 where config.json says 4 x 2"));
    FormatException nan =
        assertThrows(
            FormatException.class,
            () ->
                new CheckpointFolder(folder.resolve("d"))
                    .bytes("m.weight", SafetensorsType.F8_E4M3, new byte[] {0x7f, 0}, 1, 2)
                    .weights(arena, "m", 1, 2));
    assertTrue(nan.getMessage().contains("NaN"), nan.getMessage());
    UnsupportedException nvfp4 =
        assertThrows(
            UnsupportedException.class,
            () ->
                new CheckpointFolder(folder.resolve("e"))
                    .bytes("m.weight_packed", SafetensorsType.U8, new byte[2], 1, 2)
                    .floats("m.weight_global_scale", new float[1], 1)
                    .weights(arena, "m", 1, 4));
    assertTrue(nvfp4.getMessage().contains("pack-quantized"), nvfp4.getMessage());
  }
}
