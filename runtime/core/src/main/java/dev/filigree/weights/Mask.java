package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import java.lang.foreign.MemorySegment;

/**
 * Which weights of a matrix are kept: one bit a weight, never inferred from the values (a kept
 * weight may be 0, and negative zero is not zero). Rows start at whole bytes; column j of a row is
 * bit {@code j % 8}, least significant first, of byte {@code j / 8}. This is the bitmask of the
 * published {@code sparse-24-bitmask} and {@code sparse-bitmask} formats (compressed-tensors 0.9),
 * so a file's mask is used where it lies.
 *
 * <pre>
 *   row r:  byte 0            byte 1
 *           c7 c6 .. c1 c0    c15 .. c8
 * </pre>
 *
 * @param rows of the matrix
 * @param columns of the matrix
 * @param bits {@code [rows, ceil(columns / 8)]}
 */
public record Mask(int rows, int columns, MemorySegment bits) {
  /** The lower two bits of every half byte. */
  private static final long TWO_OF_FOUR = 0x3333_3333_3333_3333L;

  private static final int WORDS_AT_ONCE = 4096;

  public Mask {
    if (rows < 0 || columns < 0) {
      throw new WeightsException(
          "a mask of " + rows + " x " + columns + " has a negative extent",
          "pass the extents of the weights");
    }
    if (bits.byteSize() != (long) rows * bytesPerRow(columns)) {
      throw new WeightsException(
          "a mask of "
              + rows
              + " x "
              + columns
              + " takes "
              + (long) rows * bytesPerRow(columns)
              + " bytes but has "
              + bits.byteSize(),
          "store ceil(columns / 8) bytes for each row");
    }
  }

  /** A mask that keeps nothing yet, on the heap. */
  public static Mask none(int rows, int columns) {
    return new Mask(
        rows,
        columns,
        MemorySegment.ofArray(new byte[Math.multiplyExact(rows, bytesPerRow(columns))]));
  }

  /** A mask from a predicate on row and column. */
  public static Mask of(int rows, int columns, Predicate keep) {
    Mask mask = none(rows, columns);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        if (keep.test(row, column)) {
          mask.keep(row, column);
        }
      }
    }
    return mask;
  }

  /** Chooses weights. */
  @FunctionalInterface
  public interface Predicate {
    boolean test(int row, int column);
  }

  static int bytesPerRow(int columns) {
    return Math.ceilDiv(columns, 8);
  }

  /** Bytes of one row. */
  public int bytesPerRow() {
    return bytesPerRow(columns);
  }

  /** Whether a weight is kept. */
  public boolean kept(int row, int column) {
    return (bits.get(DType.BYTE, (long) row * bytesPerRow() + column / 8) >>> column % 8 & 1) != 0;
  }

  /** Keeps a weight; only for a mask under construction. */
  public void keep(int row, int column) {
    long at = (long) row * bytesPerRow() + column / 8;
    bits.set(DType.BYTE, at, (byte) (bits.get(DType.BYTE, at) | 1 << column % 8));
  }

  /**
   * The mask of the four columns of a group, column {@code 4 * group} in bit 0; columns beyond the
   * last read as 0, since a valid mask sets no bits there.
   */
  public int group(int row, int group) {
    return bits.get(DType.BYTE, (long) row * bytesPerRow() + group / 2) >>> group % 2 * 4 & 0xf;
  }

  /**
   * Whether two bits are set in every half byte, the padding of rows of an odd number of groups
   * among them. A model's masks are checked whenever it is opened, mostly before anything is
   * compiled: then single reads of a segment take a microsecond each, those of an array do not.
   */
  boolean everyNibbleKeepsTwo() {
    long[] words = new long[Math.clamp(bits.byteSize() / Long.BYTES, 1, WORDS_AT_ONCE)];
    long bytes = bits.byteSize();
    for (long at = 0; at < bytes; at += (long) words.length * Long.BYTES) {
      long part = Math.min((long) words.length * Long.BYTES, bytes - at);
      // what is not there has two bits in every half byte
      words[Math.toIntExact((part - 1) / Long.BYTES)] = TWO_OF_FOUR;
      MemorySegment.copy(bits, at, MemorySegment.ofArray(words), 0, part);
      if (!everyNibbleKeepsTwo(words, Math.toIntExact(Math.ceilDiv(part, Long.BYTES)))) {
        return false;
      }
    }
    return true;
  }

  private static boolean everyNibbleKeepsTwo(long[] words, int count) {
    for (int i = 0; i < count; i++) {
      long pairs = words[i] - (words[i] >>> 1 & 0x5555_5555_5555_5555L);
      long nibbles = (pairs & TWO_OF_FOUR) + (pairs >>> 2 & TWO_OF_FOUR);
      if (nibbles != 0x2222_2222_2222_2222L) {
        return false;
      }
    }
    return true;
  }

  /** Weights kept in a row. */
  public int keptInRow(int row) {
    int kept = 0;
    long start = (long) row * bytesPerRow();
    for (int i = 0; i < bytesPerRow(); i++) {
      kept += Integer.bitCount(bits.get(DType.BYTE, start + i) & 0xff);
    }
    return kept;
  }

  /** Weights kept in all rows. */
  public long kept() {
    long kept = 0;
    for (int row = 0; row < rows; row++) {
      kept += keptInRow(row);
    }
    return kept;
  }

  /** Refuses a mask that is not one of a matrix of this size. */
  void requireSize(int rows, int columns, String remedy) {
    if (this.rows != rows || this.columns != columns) {
      throw new WeightsException(
          "the mask is "
              + this.rows
              + " x "
              + this.columns
              + " instead of "
              + rows
              + " x "
              + columns,
          remedy);
    }
  }

  /**
   * Refuses a mask that keeps columns beyond the last one: counts of kept weights would be wrong.
   *
   * @param owner named in the message
   */
  void requireNoStrayBits(String owner) {
    if (hasStrayBits()) {
      throw new WeightsException(
          "the mask of " + owner + " sets bits beyond its last column", "clear them");
    }
  }

  /** Whether bits beyond the last column are set in some row, which no writer does. */
  boolean hasStrayBits() {
    if (columns % 8 == 0) {
      return false;
    }
    for (int row = 0; row < rows; row++) {
      long last = (long) (row + 1) * bytesPerRow() - 1;
      if ((bits.get(DType.BYTE, last) & 0xff) >>> columns % 8 != 0) {
        return true;
      }
    }
    return false;
  }
}
