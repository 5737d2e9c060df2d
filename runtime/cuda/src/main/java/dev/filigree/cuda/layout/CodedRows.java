package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Rows of codes into codebooks. A row's entries are divided by a power of two, its scale, so that
 * 16-bit floats hold them whatever their range.
 */
sealed interface CodedRows extends StoredRows permits StoredCodes, StoredBooks {
  /** The weights whose values they are. */
  Weights weights();

  /** The codes. */
  CodeValues values();

  @Override
  default void row(int row, int[] into) {
    int count = StoredRows.count(weights());
    long first = StoredRows.first(weights(), row);
    for (int i = 0; i < count; i++) {
      into[i] = values().code(first + i);
    }
    // the activations there are 0, and entries are finite
    Arrays.fill(into, count, into.length, 0);
  }

  /** The power of two that brings the largest entry into [1, 2), within what a float holds. */
  default float scale(int row) {
    float largest = 0;
    for (int code = 0; code < values().size(); code++) {
      largest = Math.max(largest, Math.abs(values().centroid(row, code)));
    }
    int exponent = Math.max(Float.MIN_EXPONENT, Math.getExponent(largest));
    return largest == 0 ? 1 : Math.scalb(1f, exponent);
  }

  @Override
  default MemorySegment scales(int padded, Arena arena) {
    MemorySegment scales = arena.allocate((long) padded * Float.BYTES, 16);
    for (int row = 0; row < weights().rows(); row++) {
      scales.set(DType.FLOAT, (long) row * Float.BYTES, scale(row));
    }
    return scales;
  }
}
