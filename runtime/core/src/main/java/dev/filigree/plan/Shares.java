package dev.filigree.plan;

import dev.filigree.spi.PackedLinear;

/**
 * How threads share a layer whose pieces each make all outputs. Where there are fewer pieces than
 * threads they share the outputs of a piece as well, in whole blocks: each then prepares the inputs
 * for itself, which costs less than waiting. What an output is computed from does not depend on it.
 * For one run at a time.
 */
final class Shares {
  private final int pieces;
  private final int rows;
  private final int blocks;

  /** Into how many the outputs of a piece are divided. */
  private int count = 1;

  /**
   * Pieces that are not divided yet.
   *
   * @param pieces at least one
   * @param layer whose outputs are divided
   */
  Shares(int pieces, PackedLinear layer) {
    this.pieces = pieces;
    this.rows = layer.rows();
    this.blocks = layer.blocks();
  }

  /** Runs every share of every piece. */
  void run(WorkerPool pool, WorkerPool.Body body) {
    count = Math.clamp(Math.ceilDiv(pool.size(), pieces), 1, blocks);
    pool.forEach(pieces * count, body);
  }

  /** The piece of an item. */
  int piece(int item) {
    return item / count;
  }

  /** First block of outputs of an item. */
  int fromBlock(int item) {
    return item % count * blocks / count;
  }

  /** Block after the last. */
  int toBlock(int item) {
    return (item % count + 1) * blocks / count;
  }

  /** First output of an item. */
  int from(int item) {
    return fromBlock(item) * PackedLinear.BLOCK;
  }

  /** Output after the last. */
  int to(int item) {
    return Math.min(rows, toBlock(item) * PackedLinear.BLOCK);
  }
}
