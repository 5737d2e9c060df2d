package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Codes of eight bits and codebooks of 256 entries, one for each row or group of rows, or one for
 * all. Entries are divided by a power of two, the row's scale, so that f16 holds them whatever
 * their range.
 *
 * <pre>
 *   a panel's table: | line of entry 0 | ... | line of entry 255 |                 of 64 rows x 2 bytes each
 *   a line:          | row 0, row 4 | 1, 5 | 2, 6 | 3, 7 | row 8, row 12 | ...     see gemm/format/books.cuh
 * </pre>
 *
 * @param weights whose values they are
 * @param values the codes
 */
record StoredBooks(Weights weights, CodeValues values) implements CodedRows {
  private static final int ENTRIES = 256;

  private static final int LINE_BYTES = FragmentPlace.PANEL_ROWS * Short.BYTES;

  /** Bytes of the tables of rows. */
  static long bytes(int rows, CodeValues values) {
    return (long) tables(rows, values) * ENTRIES * LINE_BYTES;
  }

  private static int tables(int rows, CodeValues values) {
    return values.isShared() ? 1 : FragmentPlace.panels(rows);
  }

  @Override
  public MemorySegment codebook(int padded, Arena arena) {
    MemorySegment books = arena.allocate(bytes(weights.rows(), values), 16);
    // one table for all serves every row of a panel, those behind the last too
    int rows = values.isShared() ? FragmentPlace.PANEL_ROWS : weights.rows();
    IntStream.range(0, rows).parallel().forEach(row -> book(row, books));
    return books;
  }

  private void book(int row, MemorySegment into) {
    int of = values.isShared() ? 0 : row;
    float scale = scale(of);
    long table = (long) (row / FragmentPlace.PANEL_ROWS) * ENTRIES * LINE_BYTES;
    int inPanel = row % FragmentPlace.PANEL_ROWS;
    int word = inPanel / 8 * 4 + inPanel % 4;
    int half = inPanel % 8 / 4;
    for (int code = 0; code < values.size(); code++) {
      short bits = Float.floatToFloat16(values.centroid(of, code) / scale);
      into.set(
          DType.SHORT, table + (long) code * LINE_BYTES + (2L * word + half) * Short.BYTES, bits);
    }
  }

  @Override
  public Map<String, Integer> numbers(int steps) {
    return Map.of("booksPerPanel", values.isShared() ? 0 : 1);
  }
}
