package dev.filigree.cuda.operation;

import dev.filigree.DType;

/**
 * A matrix on the device: rows of neighbouring elements. What lies between the last column and the
 * pitch is zero.
 *
 * @param address of the first element, a multiple of 16
 * @param dtype element type
 * @param rows number of rows
 * @param columns elements of a row
 * @param pitch elements from one row to the next; a multiple of 16 bytes
 */
public record Rows(long address, DType dtype, long rows, int columns, int pitch) {
  private static final int ALIGNMENT = 16;

  public Rows {
    if (pitch < columns || pitch * dtype.bytes() % ALIGNMENT != 0 || address % ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "rows of %d elements %s, %d apart, at address %x are not aligned to %d bytes"
              .formatted(columns, dtype, pitch, address, ALIGNMENT));
    }
  }

  /** The least pitch of rows of some columns. */
  public static int pitch(DType dtype, int columns) {
    int step = ALIGNMENT / dtype.bytes();
    return Math.ceilDiv(columns, step) * step;
  }

  /** Bytes they take. */
  public long bytes() {
    return rows * pitch * dtype.bytes();
  }

  /** Address, or 0 for no rows. */
  public static long addressOf(Rows rows) {
    return rows == null ? 0 : rows.address;
  }

  /** Pitch, or 0 for no rows. */
  public static int pitchOf(Rows rows) {
    return rows == null ? 0 : rows.pitch;
  }
}
