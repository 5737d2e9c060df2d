package dev.filigree.compress;

import dev.filigree.compress.layer.Grid;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Values;

/** An encoding fitted to the weights of one layer: scales or codebooks are fixed. */
public interface Coder extends Grid {
  /**
   * Encodes the values a coder was fitted to, or others of the same rows.
   *
   * @param values {@code [rows, perRow]}
   */
  Values encode(float[] values, int rows, int perRow);

  /**
   * Encodes kept values of rows of different lengths, all in one row of the encoded form.
   *
   * @param mask that says how many values each row has
   */
  Values encode(float[] values, Mask mask);
}
