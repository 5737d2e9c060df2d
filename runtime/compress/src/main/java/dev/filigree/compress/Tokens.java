package dev.filigree.compress;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Patches;

/**
 * Inputs and outputs of a layer as rows of a matrix: features of a linear layer, or what the window
 * of a convolution sees at each place.
 */
final class Tokens {
  private Tokens() {}

  /** What a layer reads, {@code [tokens, inputs]}. */
  static float[] in(Node node, Tensor x) {
    return node.isFused(Convolution.TYPE) ? Patches.of(node, x).inputs(x) : x.toFloats();
  }

  /**
   * What it makes of the same tokens, {@code [tokens, outputs]}.
   *
   * @param x its input
   */
  static float[] out(Node node, Tensor x, Tensor y) {
    return node.isFused(Convolution.TYPE) ? Patches.of(node, x).outputs(y) : y.toFloats();
  }
}
