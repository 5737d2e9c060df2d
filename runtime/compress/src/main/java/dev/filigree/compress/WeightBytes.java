package dev.filigree.compress;

import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.SparseCsr;
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;

/**
 * What the bytes of weights are spent on.
 *
 * @param values floats, integers or codes
 * @param index masks and row offsets
 * @param scales scales and zero points
 * @param codebook centroids
 */
public record WeightBytes(long values, long index, long scales, long codebook) {
  /** The bytes of weights. */
  public static WeightBytes of(Weights weights) {
    return switch (weights) {
      case Dense dense -> new WeightBytes(dense.bytes(), 0, 0, 0);
      case Quantized quantized -> of(quantized.values(), 0);
      case Packed packed -> of(packed.values(), 0);
      case Codebook codebook -> of(codebook.values(), 0);
      case Sparse24 sparse -> of(sparse.values(), sparse.mask().bits().byteSize());
      case SparseCsr sparse ->
          of(sparse.values(), sparse.mask().bits().byteSize() + sparse.rowOffsets().byteSize());
    };
  }

  private static WeightBytes of(Values values, long index) {
    return switch (values) {
      case FloatValues floats -> new WeightBytes(floats.bytes(), index, 0, 0);
      case IntegerValues integers ->
          new WeightBytes(
              integers.codes().byteSize(),
              index,
              integers.bytes() - integers.codes().byteSize(),
              0);
      case PackedIntegers integers ->
          new WeightBytes(integers.words().byteSize(), index, integers.scales().byteSize(), 0);
      case CodeValues codes ->
          new WeightBytes(codes.codes().byteSize(), index, 0, codes.centroids().byteSize());
    };
  }

  /** The sum of both. */
  public WeightBytes plus(WeightBytes other) {
    return new WeightBytes(
        values + other.values,
        index + other.index,
        scales + other.scales,
        codebook + other.codebook);
  }

  /** All bytes. */
  public long total() {
    return values + index + scales + codebook;
  }
}
