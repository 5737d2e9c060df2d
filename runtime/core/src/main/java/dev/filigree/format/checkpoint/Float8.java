package dev.filigree.format.checkpoint;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.kernel.quant.SmallFloat;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The 8-bit floats E4M3 of safetensors (P. Micikevicius et al., FP8 Formats for Deep Learning,
 * 2022): one sign, four exponent and three mantissa bits, bias 7, no infinities, NaN with all other
 * bits set. A byte is a code into a codebook of 256 values, so such weights need no form of their
 * own.
 */
final class Float8 {
  private static final int VALUES = 256;
  private static final int NAN = 0x7f;

  private Float8() {}

  /** The value of a byte. */
  static float decode(int bits) {
    return SmallFloat.E4M3FN.decode(bits);
  }

  /**
   * The codebooks of rows that have a scale each, or of all.
   *
   * @param scales f32, one a row or one
   * @param arena owns the result, f32 {@code [scales, 256]}; the two codes of NaN stand for 0
   */
  static MemorySegment codebooks(MemorySegment scales, Arena arena) {
    long rows = scales.byteSize() / Float.BYTES;
    MemorySegment books = arena.allocate(rows * VALUES * Float.BYTES, 64);
    for (long row = 0; row < rows; row++) {
      float scale = scales.get(DType.FLOAT, row * Float.BYTES);
      for (int code = 0; code < VALUES; code++) {
        float value = (code & NAN) == NAN ? 0 : decode(code) * scale;
        books.set(DType.FLOAT, (row * VALUES + code) * Float.BYTES, value);
      }
    }
    return books;
  }

  /** Whether a code of NaN is among bytes. */
  static boolean hasNan(MemorySegment codes) {
    for (long i = 0; i < codes.byteSize(); i++) {
      if ((codes.get(DType.BYTE, i) & NAN) == NAN) {
        return true;
      }
    }
    return false;
  }

  /**
   * Weights with a scale for each block of rows and columns, a form Filigree has not, as dense f32.
   *
   * @param block rows and columns of a block
   */
  static Weights blocks(
      LayerParts parts, MemorySegment codes, int rows, int columns, Scales scales, int[] block) {
    if (scales.rows() != Math.ceilDiv(rows, block[0])
        || scales.groups() != Math.ceilDiv(columns, block[1])) {
      throw parts.wrong(
          "it has "
              + scales.rows()
              + " x "
              + scales.groups()
              + " scales for "
              + rows
              + " x "
              + columns
              + " weights in blocks of "
              + block[0]
              + " x "
              + block[1]);
    }
    Tensor dense = Tensor.allocate(parts.arena(), DType.F32, Shape.of(rows, columns));
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        long at = (long) row * columns + column;
        float value = decode(codes.get(DType.BYTE, at) & 0xff);
        float scale = scales.at(row / block[0], column / block[1]);
        dense.data().set(DType.FLOAT, at * Float.BYTES, value * scale);
      }
    }
    return new Dense(dense);
  }
}
