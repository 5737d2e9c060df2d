package dev.filigree.weights;

import dev.filigree.WeightsException;

/**
 * Every weight stored as an integer of a few bits, scaled by groups along the inputs.
 *
 * @param rows outputs
 * @param columns inputs
 * @param values the integers {@code [out, in]}
 */
public record Packed(int rows, int columns, PackedIntegers values) implements Weights {
  public Packed {
    if (values.perRow() != columns || values.count() != (long) rows * columns) {
      throw new WeightsException(
          values.count()
              + " values in rows of "
              + values.perRow()
              + " for "
              + rows
              + " x "
              + columns
              + " weights",
          "store one value for each weight");
    }
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
    values.decode(row, (long) row * columns, 1, columns, into, at);
  }

  @Override
  public void validate(String layer) {
    values.validate(layer, rows);
  }
}
