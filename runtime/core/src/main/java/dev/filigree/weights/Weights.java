package dev.filigree.weights;

import dev.filigree.WeightsException;

/**
 * The weights of a linear layer, logical and independent of any device: rows are outputs, columns
 * are inputs (the reduction axis K), whatever the file they came from calls them. A structure
 * (dense, 2:4, unstructured) is combined with an encoding of its values ({@link Values}), so
 * formats compose instead of multiplying. Immutable; reading is safe from many threads.
 */
public sealed interface Weights permits Dense, Quantized, Packed, Codebook, Sparse24, SparseCsr {
  /** Outputs. */
  int rows();

  /** Inputs, the reduction axis K. */
  int columns();

  /** Weights that are stored, zeros of a sparse structure excluded. */
  long stored();

  /** Whether a weight is stored; an unstored one takes no part in a product, whatever the input. */
  default boolean keeps(int row, int column) {
    return true;
  }

  /** Bytes this form takes: values, masks, scales and codebooks. */
  long bytes();

  /** A short name of structure and encoding for people, for example {@code 2:4 f32}. */
  String format();

  /**
   * Writes one row as floats, with zeros where nothing is stored.
   *
   * @param row the output
   * @param into receives {@code columns()} values from index {@code at} on
   */
  void unpackRow(int row, float[] into, int at);

  /**
   * Checks everything the constructor does not: masks, codes, sizes that depend on contents.
   *
   * @param layer the name used in the message
   * @throws WeightsException if the weights are not what they claim to be
   */
  void validate(String layer);

  /** All weights as floats, row-major {@code [rows, columns]}. */
  default float[] unpack() {
    float[] all = new float[Math.multiplyExact(rows(), columns())];
    for (int row = 0; row < rows(); row++) {
      unpackRow(row, all, row * columns());
    }
    return all;
  }

  /** Bits stored per weight of the dense matrix. */
  default double bitsPerWeight() {
    return 8.0 * bytes() / ((double) rows() * columns());
  }

  /** Stored weights over all weights. */
  default double density() {
    return (double) stored() / ((double) rows() * columns());
  }
}
