package dev.filigree.compress.layer;

/** Values a weight may take. */
@FunctionalInterface
public interface Grid {
  /** Any value. */
  Grid CONTINUOUS = (row, column, value) -> value;

  /** The allowed value nearest to one. */
  double round(int row, int column, double value);
}
