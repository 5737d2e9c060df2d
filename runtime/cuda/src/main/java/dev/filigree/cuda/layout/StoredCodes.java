package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Codes of at most four bits and a codebook of 16 entries for each row. Entries are divided by a
 * power of two, the row's scale, so that 16 bits hold them whatever their range.
 *
 * <pre>
 *   a row's codebook: | low byte of entry 0 | ... of 15 | high byte of entry 0 | ... of 15 |
 * </pre>
 *
 * @param weights whose values they are
 * @param values the codes
 * @param dtype f16 or bf16, of the entries
 */
record StoredCodes(Weights weights, CodeValues values, DType dtype) implements CodedRows {
  /** Bits of a code in a kernel. */
  static final int BITS = 4;

  private static final int ENTRIES = 1 << BITS;

  @Override
  public MemorySegment codebook(int padded, Arena arena) {
    MemorySegment books = arena.allocate((long) padded * ENTRIES * Short.BYTES, 16);
    for (int row = 0; row < weights.rows(); row++) {
      float scale = scale(row);
      for (int code = 0; code < values.size(); code++) {
        float entry = values.centroid(row, code) / scale;
        short bits = dtype == DType.F16 ? Float.floatToFloat16(entry) : DType.toBfloat16(entry);
        long at = (long) row * 2 * ENTRIES + code;
        books.set(DType.BYTE, at, (byte) bits);
        books.set(DType.BYTE, at + ENTRIES, (byte) (bits >> 8));
      }
    }
    return books;
  }
}
