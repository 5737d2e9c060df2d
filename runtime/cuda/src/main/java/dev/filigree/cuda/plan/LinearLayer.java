package dev.filigree.cuda.plan;

import dev.filigree.weights.Weights;

/**
 * A linear layer of a plan.
 *
 * @param name in messages
 * @param weights of the graph
 * @param tokens that are multiplied at once
 * @param quantizable whether its inputs may be rounded to 8 bits
 */
record LinearLayer(String name, Weights weights, int tokens, boolean quantizable) {
  /** A layer and how a plan runs it. */
  record Planned(LinearLayer layer, LinearOption option) {}

  /** A class of layers that are measured once: same weights' form and size, same tokens. */
  record Kind(int rows, int columns, String format, long stored, int tokens, boolean quantizable) {}

  Kind kind() {
    return new Kind(
        weights.rows(), weights.columns(), weights.format(), weights.stored(), tokens, quantizable);
  }
}
