package dev.filigree.format.checkpoint;

import dev.filigree.Tensor;
import dev.filigree.weights.Weights;

/** Where the graph of a network gets its tensors from, by the names that a checkpoint has. */
interface WeightSource {
  /** Whether there is a tensor. */
  boolean has(String tensor);

  /** Whether there are the weights of a module, in any form. */
  boolean hasLayer(String module);

  /** Rows of the weights of a module that {@linkplain #hasLayer is there}. */
  int rows(String module);

  /**
   * What comes before the name of a tensor that every model of a family has.
   *
   * @throws dev.filigree.FormatException if no tensor's name ends so
   */
  String prefix(String suffix);

  /**
   * A vector as f32.
   *
   * @throws dev.filigree.FormatException if it is missing or of another extent
   */
  default Tensor vector(String name, int extent) {
    return tensor(name, extent);
  }

  /**
   * A tensor of any rank as f32.
   *
   * @throws dev.filigree.FormatException if it is missing or of another shape
   */
  Tensor tensor(String name, long... extents);

  /**
   * A table {@code [rows, columns]}.
   *
   * @throws dev.filigree.FormatException if it is missing, damaged or of other extents
   */
  Weights weights(String module, int rows, int columns);

  /**
   * The weights {@code [out, in]} of a linear layer.
   *
   * @param turned whether a dense checkpoint has them as {@code [in, out]}, as GPT-2's Conv1D does
   * @throws dev.filigree.FormatException if they are missing, damaged or of other extents
   */
  Weights linear(String module, int out, int in, boolean turned);
}
