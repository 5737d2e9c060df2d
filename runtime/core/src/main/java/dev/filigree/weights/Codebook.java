package dev.filigree.weights;

import dev.filigree.WeightsException;

/**
 * Every weight stored as a code into a codebook of shared values, row-major.
 *
 * @param rows outputs
 * @param columns inputs
 * @param values the codes {@code [out, in]} and their codebooks
 */
public record Codebook(int rows, int columns, CodeValues values) implements Weights {
  public Codebook {
    if (values.count() != (long) rows * columns) {
      throw new WeightsException(
          values.count() + " codes for " + rows + " x " + columns + " weights",
          "store one code for each weight");
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
