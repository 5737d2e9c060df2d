package dev.filigree;

import dev.filigree.weights.Weights;

/**
 * A weight matrix of a model: what compression works on.
 *
 * @param name of the layer, unique in the model
 * @param use what the model does with it
 * @param constant name of the constant in the model's file
 * @param transposed whether the file has it as {@code [in, out]}
 * @param weights logical {@code [out, in]}, or {@code [rows, features]} of a table
 * @param channels neighbouring inputs that a convolution reads at one place of its window; all
 *     inputs of other layers
 */
public record WeightMatrix(
    String name, Use use, String constant, boolean transposed, Weights weights, int channels) {
  /** A matrix without a window. */
  public WeightMatrix(String name, Use use, String constant, boolean transposed, Weights weights) {
    this(name, use, constant, transposed, weights, weights.columns());
  }

  /** Uses of a matrix. */
  public enum Use {
    /** Multiplied with activations. */
    LINEAR,
    /** Rows looked up by an index. */
    TABLE,
    /**
     * Multiplied with what a window sees: inputs are {@code [kernel..., channel]}, while the file
     * has {@code [out, channel, kernel...]}.
     */
    CONVOLUTION
  }
}
