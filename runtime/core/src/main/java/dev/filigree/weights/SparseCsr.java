package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import java.lang.foreign.MemorySegment;

/**
 * Unstructured sparsity in compressed rows: the kept values of a row lie together in ascending
 * column order. Which columns they are says a bitmask of one bit a weight, smaller than 16-bit
 * column indices above a density of 1/16, and the form of the published {@code sparse-bitmask}
 * format.
 *
 * @param rows outputs
 * @param columns inputs
 * @param mask over {@code [rows, columns]}
 * @param rowOffsets i64 {@code [rows]}, the position of each row's first value
 * @param values the kept values of all rows
 */
public record SparseCsr(int rows, int columns, Mask mask, MemorySegment rowOffsets, Values values)
    implements Weights {
  public SparseCsr {
    mask.requireSize(rows, columns, "store a mask of the same size");
    if (rowOffsets.byteSize() != rows * 8L) {
      throw new WeightsException(
          "row offsets of " + rowOffsets.byteSize() + " bytes for " + rows + " rows",
          "store one i64 for each row");
    }
  }

  /**
   * Keeps the masked weights.
   *
   * @param dense {@code [rows, columns]}
   * @param mask over the same rows and columns
   * @param encoder called with all kept values as one row
   * @throws WeightsException if the mask is of another size
   */
  public static SparseCsr pack(Weights dense, Mask mask, Sparse24.Encoder encoder) {
    int rows = dense.rows();
    int columns = dense.columns();
    mask.requireSize(rows, columns, "choose the mask from these weights");
    mask.requireNoStrayBits("the weights to pack");
    float[] kept = new float[Math.toIntExact(mask.kept())];
    MemorySegment rowOffsets = MemorySegment.ofArray(new long[rows]);
    float[] row = new float[columns];
    int next = 0;
    for (int r = 0; r < rows; r++) {
      rowOffsets.set(DType.LONG, r * 8L, next);
      dense.unpackRow(r, row, 0);
      for (int c = 0; c < columns; c++) {
        if (mask.kept(r, c)) {
          kept[next++] = row[c];
        }
      }
    }
    return new SparseCsr(rows, columns, mask, rowOffsets, encoder.encode(kept, 1, kept.length));
  }

  /** Position of a row's first value. */
  public long rowOffset(int row) {
    return rowOffsets.get(DType.LONG, row * 8L);
  }

  @Override
  public long stored() {
    return values.count();
  }

  @Override
  public boolean keeps(int row, int column) {
    return mask.kept(row, column);
  }

  @Override
  public long bytes() {
    return mask.bits().byteSize() + rowOffsets.byteSize() + values.bytes();
  }

  @Override
  public String format() {
    return "unstructured " + values.encoding();
  }

  @Override
  public void unpackRow(int row, float[] into, int at) {
    int next = mask.keptInRow(row);
    values.decode(row, rowOffset(row), 1, next, into, at);
    // a value's column is never before its position, so spreading from the end overwrites none
    // unread
    for (int c = columns - 1; c >= 0; c--) {
      into[at + c] = mask.kept(row, c) ? into[at + --next] : 0;
    }
  }

  @Override
  public void validate(String layer) {
    mask.requireNoStrayBits("layer " + layer);
    long expected = 0;
    for (int row = 0; row < rows; row++) {
      if (rowOffset(row) != expected) {
        throw new WeightsException(
            "layer "
                + layer
                + " says row "
                + row
                + " starts at value "
                + rowOffset(row)
                + " but its mask puts it at "
                + expected,
            "write offsets and mask from the same weights");
      }
      expected += mask.keptInRow(row);
    }
    if (expected != values.count()) {
      throw new WeightsException(
          "layer " + layer + " keeps " + expected + " weights but stores " + values.count(),
          "write values and mask from the same weights");
    }
    values.validate(layer, rows);
  }
}
