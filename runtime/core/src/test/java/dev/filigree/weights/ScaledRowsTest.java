package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ScaledRowsTest {
  private static final int ROWS = 5;
  private static final int COLUMNS = 24;

  static Stream<Weights> forms() {
    Samples samples = new Samples(3);
    Dense dense = Dense.of(ROWS, COLUMNS, samples.normal(ROWS * COLUMNS));
    Mask half = Mask.of(ROWS, COLUMNS, (row, column) -> column % 4 < 2);
    Mask some = Mask.of(ROWS, COLUMNS, (row, column) -> (column + row) % (row + 2) == 0);
    Sparse24.Encoder f32 = (kept, r, perRow) -> FloatValues.of(DType.F32, kept);
    Sparse24.Encoder f16 = (kept, r, perRow) -> FloatValues.of(DType.F16, kept);
    Sparse24.Encoder int8 = (kept, r, perRow) -> integers(kept.length, ROWS, false, samples);
    Sparse24.Encoder codes =
        (kept, r, perRow) ->
            CodeValues.of(4, codes(kept.length, samples), samples.normal(16 * ROWS));
    Sparse24.Encoder grouped = (kept, r, perRow) -> packed(r, perRow, 4, samples);
    return Stream.of(
        dense,
        new Quantized(ROWS, COLUMNS, integers(ROWS * COLUMNS, ROWS, true, samples)),
        new Quantized(ROWS, COLUMNS, 1, ROWS, integers(ROWS * COLUMNS, 1, true, samples)),
        new Packed(ROWS, COLUMNS, packed(ROWS, COLUMNS, 8, samples)),
        new Codebook(
            ROWS, COLUMNS, CodeValues.of(4, codes(ROWS * COLUMNS, samples), samples.normal(16))),
        new Codebook(
            ROWS, COLUMNS, CodeValues.of(4, codes(ROWS * COLUMNS, samples), samples.normal(48), 2)),
        Sparse24.pack(dense, half, f32),
        Sparse24.pack(dense, half, f16),
        Sparse24.pack(dense, half, int8),
        Sparse24.pack(dense, half, codes),
        Sparse24.pack(dense, half, grouped),
        SparseCsr.pack(dense, some, f32),
        SparseCsr.pack(dense, some, int8),
        SparseCsr.pack(dense, some, codes),
        SparseCsr.pack(dense, some, grouped));
  }

  private static byte[] codes(int count, Samples samples) {
    byte[] codes = samples.bytes(count);
    for (int i = 0; i < count; i++) {
      codes[i] &= 15;
    }
    return codes;
  }

  private static IntegerValues integers(int count, int scales, boolean offset, Samples samples) {
    return new IntegerValues(
        DType.I8,
        MemorySegment.ofArray(samples.bytes(count)),
        MemorySegment.ofArray(samples.normal(scales)),
        offset ? MemorySegment.ofArray(samples.bytes(scales)) : IntegerValues.SYMMETRIC);
  }

  private static PackedIntegers packed(int rows, int perRow, int group, Samples samples) {
    byte[] codes = codes(rows * perRow, samples);
    for (int i = 0; i < codes.length; i++) {
      codes[i] -= 8;
    }
    float[] scales = samples.normal(rows * Math.ceilDiv(perRow, group));
    return PackedIntegers.of(4, perRow, group, codes, DType.BF16, scales);
  }

  @ParameterizedTest
  @MethodSource("forms")
  void everyFormActsAsIfItsRowsWereMultiplied(Weights weights) {
    float[] factors = {2, -0.3f, 0, 1, 1e-3f};
    Weights scaled = ScaledRows.of(weights, factors);
    scaled.validate("layer");
    assertEquals(weights.getClass(), scaled.getClass());
    assertEquals(weights.stored(), scaled.stored());
    float[] before = weights.unpack();
    float[] after = scaled.unpack();
    for (int row = 0; row < ROWS; row++) {
      for (int c = 0; c < COLUMNS; c++) {
        double expected = (double) before[row * COLUMNS + c] * factors[row];
        assertEquals(expected, after[row * COLUMNS + c], 1e-6 * Math.abs(expected));
        assertEquals(weights.keeps(row, c), scaled.keeps(row, c));
      }
    }
  }

  @Test
  void aSingleRowHasOneCodebook() {
    CodeValues codes = CodeValues.of(1, new byte[COLUMNS], new float[] {3, 4});
    Weights scaled = ScaledRows.of(new Codebook(1, COLUMNS, codes), new float[] {2});
    scaled.validate("layer");
    assertEquals(6, scaled.unpack()[5]);
  }
}
