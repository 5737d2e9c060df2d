package dev.filigree.weights;

import dev.filigree.WeightsException;

/**
 * Every weight stored as a scaled integer.
 *
 * @param rows outputs
 * @param columns inputs
 * @param rowStride positions from one row to the next
 * @param columnStride positions from one column to the next: 1 for {@code [out, in]}, {@code rows}
 *     for a file's {@code [in, out]}
 * @param values the integers
 */
public record Quantized(
    int rows, int columns, long rowStride, long columnStride, IntegerValues values)
    implements Weights {
  public Quantized {
    if (values.count() != (long) rows * columns) {
      throw new WeightsException(
          values.count() + " values for " + rows + " x " + columns + " weights",
          "store one value for each weight");
    }
    boolean rowMajor = rowStride == columns && columnStride == 1;
    boolean columnMajor = rowStride == 1 && columnStride == rows;
    if (!rowMajor && !columnMajor) {
      throw new WeightsException(
          "strides of "
              + rowStride
              + " and "
              + columnStride
              + " do not visit each of "
              + rows
              + " x "
              + columns
              + " weights once",
          "store one value for each weight, by rows or by columns");
    }
  }

  /** Weights stored row-major {@code [out, in]}. */
  public Quantized(int rows, int columns, IntegerValues values) {
    this(rows, columns, columns, 1, values);
  }

  /** The integers less their zero points: the same matrix with every scale 1. */
  public Quantized integers() {
    return new Quantized(rows, columns, rowStride, columnStride, values.unscaled());
  }

  @Override
  public long stored() {
    return values.count();
  }

  @Override
  public long bytes() {
    return values.bytes();
  }

  @Override
  public String format() {
    return values.encoding();
  }

  @Override
  public void unpackRow(int row, float[] into, int at) {
    values.decode(row, row * rowStride, columnStride, columns, into, at);
  }

  @Override
  public void validate(String layer) {
    values.validate(layer, rows);
  }
}
