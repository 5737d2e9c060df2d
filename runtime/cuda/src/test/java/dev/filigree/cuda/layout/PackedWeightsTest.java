package dev.filigree.cuda.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.kernels.cuda.WeightsForm.Values;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.FragmentMetadata;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Metadata24;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PackedWeightsTest {
  private static final WeightsForm SPARSE_F16 = new WeightsForm(Structure.SPARSE24, Values.F16);

  /** The golden file was made with CUTLASS's own reordering of metadata. */
  @ParameterizedTest
  @CsvSource({"m16n8k32.f16, F16, F16", "m16n8k64.s8, I8, I8"})
  void lanesHoldTheMetadataThatCutlassGivesThem(
      String instruction, Values values, ActivationType activation) throws IOException {
    JsonNode golden = golden(instruction);
    int columns = golden.path("k").asInt();
    // the 32 rows of the file are two tiles; a panel has four, so they come twice
    Mask mask = Mask.none(64, columns);
    for (int tile = 0; tile < 4; tile++) {
      for (int row = 0; row < 16; row++) {
        String nibbles = golden.path("logicalNibblesByRow").get(tile % 2 * 16 + row).asString();
        for (int group = 0; group < columns / 4; group++) {
          int kept = Metadata24.mask(Character.digit(nibbles.charAt(group), 16));
          for (int c = 0; c < 4; c++) {
            if ((kept >> c & 1) != 0) {
              mask.keep(FragmentPlace.panelRow(tile, row), group * 4 + c);
            }
          }
        }
      }
    }
    int stored = 64 * columns / 2;
    Sparse24 weights =
        new Sparse24(
            64,
            columns,
            mask,
            values == Values.I8 ? integers(stored) : FloatValues.of(DType.F32, new float[stored]));
    PackedWeights packed =
        PackedWeights.pack(
            "golden",
            weights,
            new WeightsForm(Structure.SPARSE24, values),
            activation,
            Arena.ofAuto());
    int compared = 0;
    int words = values == Values.I8 ? 4 : 2;
    for (JsonNode step : golden.path("registerWords")) {
      int firstWord = step.path("firstRow").asInt() / 16 / step.path("mTilesPerWord").asInt();
      for (int word = firstWord; word < words; word += words / 2) {
        for (int lane = 0; lane < FragmentMetadata.LANES; lane++) {
          long at = ((step.path("kStep").asInt() * 32L + lane) * words + word) * 4;
          assertEquals(
              step.path("lanes").get(lane).asLong(),
              packed.metadata().get(DType.INT, at) & 0xffffffffL,
              "step " + step.path("kStep") + ", lane " + lane + ", word " + word);
          compared++;
        }
      }
    }
    assertEquals(packed.metadata().byteSize() / 4, compared);
  }

  private static JsonNode golden(String instruction) throws IOException {
    try (InputStream in = PackedWeightsTest.class.getResourceAsStream("fragment-metadata.json")) {
      for (JsonNode entry : JsonMapper.builder().build().readTree(in)) {
        if (entry.path("instruction").asString().equals(instruction)) {
          return entry;
        }
      }
    }
    throw new AssertionError("no golden metadata of " + instruction);
  }

  private static IntegerValues integers(int count) {
    return new IntegerValues(
        DType.I8,
        MemorySegment.ofArray(new byte[count]),
        MemorySegment.ofArray(new float[] {1}),
        IntegerValues.SYMMETRIC);
  }

  /**
   * PTX ISA 9.7.14.6.2: register i of lane 4g + q has row g + 8 (i % 2), columns 2q + 8 (i / 2).
   */
  @Test
  void lanesHoldTheValuesThatTheInstructionWants() {
    int rows = 100;
    int columns = 72;
    float[] kept = new float[rows * columns / 2];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = i % 2048 - 1024;
    }
    Mask mask = Mask.of(rows, columns, (row, column) -> column % 4 >= 2);
    Sparse24 weights = new Sparse24(rows, columns, mask, FloatValues.of(DType.F32, kept));
    PackedWeights packed =
        PackedWeights.pack("test", weights, SPARSE_F16, ActivationType.F16, Arena.ofAuto());
    int steps = 4; // 72 columns in pairs of 32
    assertEquals(2L * steps * 4 * 512, packed.values().byteSize());
    for (int panel = 0; panel < 2; panel++) {
      for (int step = 0; step < steps; step++) {
        for (int tile = 0; tile < 4; tile++) {
          for (int lane = 0; lane < 32; lane++) {
            for (int i = 0; i < 4; i++) {
              for (int half = 0; half < 2; half++) {
                long at =
                    ((panel * steps + step) * 4L + tile) * 512 + lane * 16L + i * 4L + half * 2L;
                int row = panel * 64 + lane / 4 * 8 + i % 2 * 4 + tile;
                int column = step * 16 + lane % 4 * 2 + half + i / 2 * 8;
                float expected =
                    row < rows && column < columns / 2 ? kept[row * columns / 2 + column] : 0;
                assertEquals(expected, Float.float16ToFloat(packed.values().get(DType.SHORT, at)));
              }
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyStoredWeightHasAPlaceOfItsOwn(FragmentPlace place) {
    Set<Integer> taken = new HashSet<>();
    for (int row = 0; row < FragmentPlace.PANEL_ROWS; row++) {
      for (int k = 0; k < place.storedPerStep(); k++) {
        int first = place.nibble(row, k);
        assertEquals(0, first % (place.bits() / 4));
        for (int i = 0; i < place.bits() / 4; i++) {
          assertTrue(taken.add(first + i), "row " + row + ", stored column " + k);
        }
      }
    }
    assertEquals(2 * place.blockBytes(), taken.size());
  }

  @Test
  void negativeZeroKeepsItsSign() {
    Mask mask = Mask.of(64, 64, (row, column) -> column % 4 < 2);
    float[] kept = new float[64 * 32];
    Arrays.fill(kept, -0.0f);
    Sparse24 weights = new Sparse24(64, 64, mask, FloatValues.of(DType.F32, kept));
    PackedWeights packed =
        PackedWeights.pack("test", weights, SPARSE_F16, ActivationType.F16, Arena.ofAuto());
    for (long at = 0; at < packed.values().byteSize(); at += 2) {
      assertEquals((short) 0x8000, packed.values().get(DType.SHORT, at));
    }
  }

  @Test
  void aFormTheWeightsDoNotHaveIsRefusedWithThoseTheyHave() {
    Dense weights = Dense.of(2, 4, new float[8]);
    WeightsException e =
        assertThrows(
            WeightsException.class,
            () ->
                PackedWeights.pack(
                    "encoder.query", weights, SPARSE_F16, ActivationType.F16, Arena.ofAuto()));
    assertTrue(e.getMessage().contains("layer encoder.query of dense f32"), e.getMessage());
    assertTrue(e.getMessage().contains("choose one of [dense f16]"), e.getMessage());
  }

  @Test
  void integersWithAZeroPointAreNotForTheIntegerTensorCores() {
    byte[] codes = new byte[8];
    new Random(1).nextBytes(codes);
    Quantized weights =
        new Quantized(
            2,
            4,
            new IntegerValues(
                DType.U8,
                MemorySegment.ofArray(codes),
                MemorySegment.ofArray(new float[] {1}),
                MemorySegment.ofArray(new byte[] {113})));
    assertTrue(PackedWeights.forms(weights, ActivationType.I8).isEmpty());
    assertEquals(
        new WeightsForm(Structure.DENSE, Values.I8),
        PackedWeights.forms(weights, ActivationType.F16).getFirst());
  }

  private static Packed integers(int bits, int columns, int group, boolean ordered) {
    int groups = Math.ceilDiv(columns, group);
    int words = Math.ceilDiv(columns * bits, Integer.SIZE);
    int[] groupOf = new int[columns];
    for (int i = 0; ordered && i < columns; i++) {
      groupOf[i] = (columns - 1 - i) / group;
    }
    return new Packed(
        1,
        columns,
        new PackedIntegers(
            bits,
            columns,
            group,
            MemorySegment.ofArray(new int[words]),
            DType.F32,
            MemorySegment.ofArray(new float[groups]),
            PackedIntegers.NONE,
            ordered ? MemorySegment.ofArray(groupOf) : PackedIntegers.NONE));
  }

  @ParameterizedTest
  @CsvSource({"32, false", "24, false", "25, false", "1, false", "32, true"})
  void integersRunAsTheyAreStoredInGroupsOfAnyKind(int group, boolean ordered) {
    assertEquals(
        new WeightsForm(Structure.DENSE, Values.I4),
        PackedWeights.forms(integers(4, 128, group, ordered), ActivationType.F16).getFirst());
    assertEquals(
        new WeightsForm(Structure.SPARSE24, Values.I4),
        PackedWeights.forms(sparse(128, group, ordered), ActivationType.F16).getFirst());
  }

  /** A row's entries lie in one bank, or half of it, one line of 128 bytes after the other. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void tablesOfCodebooksHaveABankForEachRow(boolean perRow) {
    int rows = 70;
    float[] centroids = new float[(perRow ? rows : 1) * 256];
    for (int i = 0; i < centroids.length; i++) {
      centroids[i] = 1 + i % 773 / 1024f;
    }
    Codebook weights = new Codebook(rows, 4, CodeValues.of(8, new byte[rows * 4], centroids));
    WeightsForm form = new WeightsForm(Structure.DENSE, Values.CODEBOOK256);
    PackedWeights packed =
        PackedWeights.pack("test", weights, form, ActivationType.F16, Arena.ofAuto());
    assertEquals(perRow ? 2 * 32768 : 32768, packed.codebook().byteSize());
    assertEquals(packed.codebook().byteSize(), PackedWeights.tableBytes(weights, form));
    assertEquals(perRow ? 1 : 0, packed.numbers().get("booksPerPanel"));
    for (int row = 0; row < rows; row++) {
      int inPanel = row % 64;
      long table = perRow ? row / 64 * 32768L : 0;
      int bank = inPanel / 8 * 4 + inPanel % 4;
      for (int code = 0; code < 256; code++) {
        long at = table + code * 128L + bank * 4 + inPanel % 8 / 4 * 2;
        assertEquals(
            weights.values().centroid(row, code),
            Float.float16ToFloat(packed.codebook().get(DType.SHORT, at)),
            "row " + row + ", code " + code);
      }
    }
  }

  /** Every other weight of a row kept. */
  private static Sparse24 sparse(int columns, int group, boolean ordered) {
    return Sparse24.pack(
        Dense.of(1, columns, new float[columns]),
        Mask.of(1, columns, (row, column) -> column % 2 == 0),
        (kept, rows, count) -> integers(4, count, group, ordered).values());
  }

  @ParameterizedTest
  @CsvSource({"5, 16, true", "6, 40, true", "7, 3, true", "8, 128, true", "8, 121, false"})
  void integersOfMoreThanFourBitsWithoutGroupsAreBytes(int bits, int zeroPoint, boolean signed) {
    Packed plain = integers(bits, 96, 96, false);
    int[] words = new Random(bits).ints(plain.values().wordsPerRow()).toArray();
    PackedIntegers values =
        new PackedIntegers(
            bits,
            96,
            96,
            MemorySegment.ofArray(words),
            DType.F32,
            MemorySegment.ofArray(new float[] {0.5f}),
            MemorySegment.ofArray(new byte[] {(byte) zeroPoint}),
            PackedIntegers.NONE);
    Packed weights = new Packed(1, 96, values);
    WeightsForm form = new WeightsForm(Structure.DENSE, Values.I8);
    assertEquals(form, PackedWeights.forms(weights, ActivationType.F16).getFirst());
    assertEquals(signed, PackedWeights.forms(weights, ActivationType.I8).contains(form));
    StoredRows rows = StoredRows.of("layer", weights, form, ActivationType.F16);
    int[] codes = new int[96];
    rows.row(0, codes);
    float[] expected = new float[96];
    weights.unpackRow(0, expected, 0);
    try (Arena arena = Arena.ofConfined()) {
      float scale = rows.scales(64, arena).get(DType.FLOAT, 0);
      // offsets are 1024 + zero point
      int offset = (int) Float.float16ToFloat(rows.offsets(64, arena).get(DType.SHORT, 0)) - 1024;
      for (int i = 0; i < codes.length; i++) {
        assertEquals(expected[i], (codes[i] - offset) * scale, "value " + i);
      }
    }
  }
}
