package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.WeightsException;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights that are not what they claim to be are refused with the layer and the remedy. */
class WeightsValidationTest {
  private static final String LAYER = "encoder.0.query";
  private static final Sparse24.Encoder F32 =
      (kept, rows, perRow) -> FloatValues.of(DType.F32, kept);

  @Test
  void aGroupThatKeepsThreeIsNot24() {
    Mask three = Mask.of(2, 8, (row, column) -> row == 1 && column > 4);
    refused(
        "the mask keeps 3 of the columns 4 to 7 in row 1",
        "keep at most 2 of every 4",
        () -> Sparse24.pack(Dense.of(2, 8, new float[16]), three, F32));
  }

  @Test
  void aMaskOfAnotherSizeIsRefusedWhenPacking() {
    Dense dense = Dense.of(2, 8, new float[16]);
    for (Mask other : new Mask[] {Mask.none(2, 12), Mask.none(2, 4), Mask.none(1, 8)}) {
      String problem =
          "the mask is " + other.rows() + " x " + other.columns() + " instead of 2 x 8";
      refused(problem, "mask", () -> Sparse24.pack(dense, other, F32));
      refused(problem, "mask", () -> SparseCsr.pack(dense, other, F32));
    }
  }

  @Test
  void aMaskWithBitsBeyondTheLastColumnIsRefusedWhenPacking() {
    Dense dense = Dense.of(1, 5, new float[5]);
    Mask stray = new Mask(1, 5, MemorySegment.ofArray(new byte[] {0x40}));
    refused("beyond", "clear them", () -> Sparse24.pack(dense, stray, F32));
    refused("beyond", "clear them", () -> SparseCsr.pack(dense, stray, F32));
  }

  @ParameterizedTest
  @ValueSource(ints = {0b0000, 0b0001, 0b0111, 0b1111})
  void aStoredGroupMustKeepExactlyTwo(int group) {
    Mask mask = Mask.of(1, 4, (row, column) -> (group >> column & 1) != 0);
    Sparse24 weights = new Sparse24(1, 4, mask, FloatValues.of(DType.F32, new float[2]));
    refused(
        "layer " + LAYER + " keeps " + Integer.bitCount(group) + " of the columns 0 to 3 in row 0",
        "store exactly 2 of every 4 columns along the inputs",
        () -> weights.validate(LAYER));
  }

  @Test
  void aValueBeyondTheLastColumnMustBeZero() {
    Mask mask = Mask.of(1, 4, (row, column) -> column == 1 || column == 3);
    new Sparse24(1, 3, mask, FloatValues.of(DType.F32, new float[] {1, 0})).validate(LAYER);
    new Sparse24(1, 3, mask, FloatValues.of(DType.F32, new float[] {1, -0f})).validate(LAYER);
    for (float value : new float[] {1e-30f, Float.NaN}) {
      Sparse24 weights =
          new Sparse24(1, 3, mask, FloatValues.of(DType.F32, new float[] {1, value}));
      refused(
          "layer " + LAYER + " stores " + value + " beyond its last column in row 0",
          "store zeros there",
          () -> weights.validate(LAYER));
    }
  }

  @Test
  void a24MaskMustCoverWholeGroupsAndNoMore() {
    FloatValues two = FloatValues.of(DType.F32, new float[4]);
    refused(
        "the mask is 1 x 6 instead of 1 x 8",
        "pad the columns to a multiple of 4",
        () -> new Sparse24(1, 6, Mask.none(1, 6), two));
    Mask stray = new Mask(1, 4, MemorySegment.ofArray(new byte[] {0b0001_0011}));
    Sparse24 weights = new Sparse24(1, 4, stray, FloatValues.of(DType.F32, new float[2]));
    refused(
        "the mask of layer " + LAYER + " sets bits beyond its last column",
        "clear them",
        () -> weights.validate(LAYER));
  }

  @Test
  void a24LayerStoresTwoValuesAGroup() {
    refused(
        "3 values for 1 rows of 2 groups",
        "store 2 values for each group",
        () -> new Sparse24(1, 8, Mask.none(1, 8), FloatValues.of(DType.F32, new float[3])));
  }

  @Test
  void rowOffsetsMustAgreeWithTheMask() {
    Mask mask = Mask.of(2, 4, (row, column) -> column < 2);
    FloatValues four = FloatValues.of(DType.F32, new float[4]);
    SparseCsr lying = csr(mask, new long[] {0, 3}, four);
    refused(
        "layer " + LAYER + " says row 1 starts at value 3 but its mask puts it at 2",
        "write offsets and mask from the same weights",
        () -> lying.validate(LAYER));
    SparseCsr lacking = csr(mask, new long[] {0, 2}, FloatValues.of(DType.F32, new float[3]));
    refused(
        "layer " + LAYER + " keeps 4 weights but stores 3",
        "write values and mask from the same weights",
        () -> lacking.validate(LAYER));
    refused(
        "row offsets of 24 bytes for 2 rows",
        "store one i64 for each row",
        () -> csr(mask, new long[3], four));
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void aScaleMustBeFinite(float scale) {
    Quantized weights = new Quantized(2, 1, integers(2, new float[] {1, scale}, new byte[0]));
    refused(
        "layer " + LAYER + " has the scale " + scale + " in row 1",
        "quantise the layer again from finite weights",
        () -> weights.validate(LAYER));
  }

  @Test
  void thereIsOneScaleOrOneForEachRow() {
    Quantized weights = new Quantized(3, 1, integers(3, new float[] {1, 2}, new byte[0]));
    refused(
        "layer " + LAYER + " has 2 scales for 3 rows",
        "store one scale, or one for each row",
        () -> weights.validate(LAYER));
    refused(
        "the scales take 0 bytes",
        "store one f32, or one for each row",
        () -> integers(1, new float[0], new byte[0]));
    refused(
        "2 zero points for 1 scales",
        "store as many zero points as scales, or none",
        () -> integers(1, new float[1], new byte[2]));
  }

  @Test
  void strideThatLeavesTheCodesIsRefused() {
    IntegerValues six = integers(6, new float[] {1}, new byte[0]);
    refused("strides", "for each weight", () -> new Quantized(2, 3, 4, 1, six));
    refused("strides", "for each weight", () -> new Quantized(2, 3, 1, 3, six));
    refused("strides", "for each weight", () -> new Quantized(2, 3, 3, -1, six));
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
  void aCentroidMustBeFinite(float centroid) {
    Codebook weights =
        new Codebook(1, 2, CodeValues.of(1, new byte[] {0, 1}, new float[] {1, centroid}));
    refused(
        "layer " + LAYER + " has the centroid " + centroid + " in codebook 0",
        "share the layer's weights again from finite ones",
        () -> weights.validate(LAYER));
  }

  @Test
  void aCodeMustLieInTheCodebook() {
    refused(
        "code 4 at position 1 does not fit 2 bits",
        "use codes from 0 to 3",
        () -> CodeValues.of(2, new byte[] {3, 4}, new float[4]));
    refused(
        "code 255 at position 0 does not fit 4 bits",
        "use codes from 0 to 15",
        () -> CodeValues.of(4, new byte[] {-1}, new float[16]));
  }

  @Test
  void bitsBehindTheLastCodeMustBeClear() {
    MemorySegment stray = MemorySegment.ofArray(new byte[] {0b0100_0001});
    Codebook weights =
        new Codebook(1, 3, new CodeValues(2, 3, stray, MemorySegment.ofArray(new float[4])));
    refused(
        "the codes of layer " + LAYER + " set bits behind the last one",
        "clear them",
        () -> weights.validate(LAYER));
  }

  @Test
  void thereIsOneCodebookOrOneForEachRow() {
    Codebook weights = new Codebook(3, 1, CodeValues.of(1, new byte[3], new float[4]));
    refused(
        "layer " + LAYER + " has 2 codebooks for 3 rows",
        "store one codebook, or one for each row",
        () -> weights.validate(LAYER));
    refused(
        "the codebook takes 12 bytes",
        "store 4 f32 centroids",
        () -> CodeValues.of(2, new byte[1], new float[3]));
    refused(
        "codes of 3 bits are not supported",
        "use 1, 2, 4 or 8 bits",
        () -> CodeValues.of(3, new byte[1], new float[8]));
  }

  @Test
  void aCountThatOverflowsIsNotTakenForAnEmptyOne() {
    MemorySegment nothing = MemorySegment.ofArray(new byte[0]);
    MemorySegment centroids = MemorySegment.ofArray(new float[256]);
    refused("codes of 8 bits", "bytes", () -> new CodeValues(8, 1L << 61, nothing, centroids));
  }

  @Test
  void everyMatrixHasOneValueForEachWeight() {
    refused(
        "3 values for 2 x 2 weights",
        "store one value for each weight",
        () -> new Quantized(2, 2, integers(3, new float[1], new byte[0])));
    refused(
        "3 codes for 2 x 2 weights",
        "store one code for each weight",
        () -> new Codebook(2, 2, CodeValues.of(1, new byte[3], new float[2])));
  }

  @Test
  void denseWeightsAreAFloatingPointMatrix() {
    refused(
        "dense weights f32[4] are not a floating-point matrix",
        "pass f32, f16 or bf16 [out, in]",
        () -> new Dense(Tensor.of(new float[4], 4)));
    refused(
        "dense weights i32[2, 2] are not a floating-point matrix",
        "pass f32, f16 or bf16 [out, in]",
        () -> new Dense(Tensor.of(new int[4], 2, 2)));
    Tensor huge = Tensor.of(DType.F32, Shape.of(1L << 40, 0), MemorySegment.ofArray(new byte[0]));
    refused("dense weights f32[1099511627776, 0]", "rows", () -> new Dense(huge));
  }

  @Test
  void onlyFloatsAreFloatValuesAndOnlyBytesAreIntegerValues() {
    MemorySegment data = MemorySegment.ofArray(new byte[6]);
    refused(
        "values of type i32 are not floating-point",
        "use integer values with a scale",
        () -> new FloatValues(DType.I32, data));
    refused(
        "6 bytes are no whole number of f32 values",
        "size",
        () -> new FloatValues(DType.F32, data));
    refused(
        "integer values of type i32 are not supported",
        "use i8 or u8",
        () -> new IntegerValues(DType.I32, data, data, data));
  }

  private static SparseCsr csr(Mask mask, long[] rowOffsets, Values values) {
    return new SparseCsr(
        mask.rows(), mask.columns(), mask, MemorySegment.ofArray(rowOffsets), values);
  }

  private static IntegerValues integers(int count, float[] scales, byte[] zeroPoints) {
    return new IntegerValues(
        DType.I8,
        MemorySegment.ofArray(new byte[count]),
        MemorySegment.ofArray(scales),
        MemorySegment.ofArray(zeroPoints));
  }

  private static void refused(String problem, String remedy, Executable action) {
    WeightsException refusal = assertThrows(WeightsException.class, action);
    assertTrue(refusal.problem().contains(problem), refusal.problem());
    assertTrue(refusal.remedy().contains(remedy), refusal.remedy());
    assertEquals(refusal.problem() + "; " + refusal.remedy(), refusal.getMessage());
  }
}
