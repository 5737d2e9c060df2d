package dev.filigree.kernels.vector;

import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Codes of weights where {@link StoredRows} can read them: off the heap. */
final class NativeCodes {
  /** Of memory that vectors read. */
  private static final int ALIGNMENT = 64;

  private NativeCodes() {}

  /** Whether the codes of weights lie off the heap. */
  static boolean isIn(Weights weights) {
    return switch (weights) {
      case Quantized quantized -> quantized.values().codes().isNative();
      case Packed packed -> packed.values().words().isNative();
      case Codebook codebook -> codebook.values().codes().isNative();
      default -> false;
    };
  }

  /** Weights themselves if their codes lie off the heap, as those of files do; or with a copy. */
  static Weights of(Weights weights) {
    if (isIn(weights)) {
      return weights;
    }
    return switch (weights) {
      case Quantized(
              int rows,
              int columns,
              long rowStride,
              long columnStride,
              IntegerValues values) ->
          new Quantized(
              rows,
              columns,
              rowStride,
              columnStride,
              new IntegerValues(
                  values.dtype(), copy(values.codes()), values.scales(), values.zeroPoints()));
      case Packed(int rows, int columns, PackedIntegers values) ->
          new Packed(
              rows,
              columns,
              new PackedIntegers(
                  values.bits(),
                  values.perRow(),
                  values.group(),
                  copy(values.words()),
                  values.scaleType(),
                  values.scales(),
                  values.zeroPoints(),
                  values.groupOf()));
      case Codebook(int rows, int columns, CodeValues values) ->
          new Codebook(rows, columns, values.offHeap());
      default -> weights;
    };
  }

  private static MemorySegment copy(MemorySegment codes) {
    return Arena.ofAuto().allocate(codes.byteSize(), ALIGNMENT).copyFrom(codes);
  }
}
