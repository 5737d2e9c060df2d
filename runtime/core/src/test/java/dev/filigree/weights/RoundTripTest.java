package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.testing.EncodedSamples;
import dev.filigree.testing.Floats;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What was packed comes back bit by bit, in every structure and every encoding. */
class RoundTripTest {
  @Seeded(300)
  void sparse24ReturnsTheKeptWeightsAndZerosElsewhere(Samples samples) {
    int rows = samples.between(1, 9);
    int columns = samples.between(1, 33);
    EncodedSamples encoded = EncodedSamples.any(samples, rows, columns);
    Mask keep = samples.mask24(rows, columns);
    Sparse24 packed =
        Sparse24.pack(Dense.of(rows, columns, encoded.values()), keep, encoded.encoder());
    packed.validate("layer");
    Floats.assertSameBits(encoded.masked(keep, columns), packed.unpack());
    assertEquals(2L * rows * Math.ceilDiv(columns, 4), packed.stored());
  }

  @Seeded(300)
  void sparseCsrReturnsTheKeptWeightsAndZerosElsewhere(Samples samples) {
    int rows = samples.between(1, 9);
    int columns = samples.between(1, 33);
    EncodedSamples encoded = EncodedSamples.shared(samples, rows, columns);
    Mask keep = samples.mask(rows, columns, samples.oneOf(List.of(0.0, 0.1, 0.5, 1.0)));
    SparseCsr packed =
        SparseCsr.pack(Dense.of(rows, columns, encoded.values()), keep, encoded.encoder());
    packed.validate("layer");
    Floats.assertSameBits(encoded.masked(keep, columns), packed.unpack());
    assertEquals(keep.kept(), packed.stored());
  }

  @Seeded(200)
  void everyWeightOfAFullMatrixReturns(Samples samples) {
    int rows = samples.between(1, 9);
    int columns = samples.between(1, 33);
    EncodedSamples encoded = EncodedSamples.any(samples, rows, columns);
    Weights packed =
        switch (encoded.encoder().encode(encoded.values(), rows, columns)) {
          case FloatValues floats ->
              new Dense(Tensor.of(floats.dtype(), Shape.of(rows, columns), floats.data()));
          case IntegerValues integers -> new Quantized(rows, columns, integers);
          case PackedIntegers integers -> new Packed(rows, columns, integers);
          case CodeValues codes -> new Codebook(rows, columns, codes);
        };
    packed.validate("layer");
    Floats.assertSameBits(encoded.values(), packed.unpack());
    assertEquals((long) rows * columns, packed.stored());
  }

  @Seeded(50)
  void aRowIsUnpackedIntoItsPlaceAndTouchesNothingElse(Samples samples) {
    int rows = samples.between(1, 5);
    int columns = samples.between(1, 21);
    Dense dense = Dense.of(rows, columns, samples.normal(rows * columns));
    Mask keep = samples.mask24(rows, columns);
    Sparse24.Encoder f32 = (kept, r, perRow) -> FloatValues.of(DType.F32, kept);
    for (Weights weights :
        List.of(dense, Sparse24.pack(dense, keep, f32), SparseCsr.pack(dense, keep, f32))) {
      int row = samples.between(0, rows - 1);
      float[] into = samples.normal(columns + 10);
      float[] expected = into.clone();
      System.arraycopy(weights.unpack(), row * columns, expected, 4, columns);
      weights.unpackRow(row, into, 4);
      Floats.assertSameBits(expected, into);
    }
  }

  @Seeded(50)
  void weightsStoredTransposedReadLikeTheirRowMajorTwins(Samples samples) {
    int rows = samples.between(1, 7);
    int columns = samples.between(1, 7);
    float[] values = samples.anyFloats(rows * columns);
    Tensor file = Tensor.of(transposed(values, rows, columns), columns, rows);
    Floats.assertSameBits(values, new Dense(file.permute(1, 0)).unpack());

    byte[] codes = samples.bytes(rows * columns);
    byte[] moved = new byte[codes.length];
    for (int i = 0; i < codes.length; i++) {
      moved[i % columns * rows + i / columns] = codes[i];
    }
    MemorySegment scales = MemorySegment.ofArray(samples.normal(rows));
    Quantized expected = new Quantized(rows, columns, integers(codes, scales));
    Quantized stored = new Quantized(rows, columns, 1, rows, integers(moved, scales));
    Floats.assertSameBits(expected.unpack(), stored.unpack());
  }

  @Test
  void aMatrixWithoutRowsIsEmptyInEveryForm() {
    Dense none = Dense.of(0, 8, new float[0]);
    Sparse24.Encoder f32 = (kept, rows, perRow) -> FloatValues.of(DType.F32, kept);
    assertEquals(0, none.unpack().length);
    assertEquals(0, Sparse24.pack(none, Mask.none(0, 8), f32).unpack().length);
    assertEquals(0, SparseCsr.pack(none, Mask.none(0, 8), f32).unpack().length);
  }

  private static IntegerValues integers(byte[] codes, MemorySegment scales) {
    return new IntegerValues(
        DType.I8, MemorySegment.ofArray(codes), scales, IntegerValues.SYMMETRIC);
  }

  private static float[] transposed(float[] values, int rows, int columns) {
    float[] moved = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      moved[i % columns * rows + i / columns] = values[i];
    }
    return moved;
  }
}
