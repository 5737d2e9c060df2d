package dev.filigree.kernels.vector;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.weights.Weights;

/**
 * Weights that are read where the file has them, or from a copy of what is on the heap. A large
 * matrix has no other choice beside it: what would be laid out anew would double its memory.
 *
 * @param weights to run
 */
record StoredOption(Weights weights) implements LinearOption {
  /** Weights a nanosecond that one token streams through, measured in cache. */
  private static final double ONE_TOKEN = 8;

  /** Weights a nanosecond that are decoded for several tokens. */
  private static final double DECODED = 0.8;

  /** Multiply-adds of one lane a nanosecond of a dense tile. */
  private static final double DENSE_PER_LANE = 4.8;

  @Override
  public String name() {
    return "dense, as stored";
  }

  @Override
  public String reason() {
    return "weights stay " + weights.format() + " where the file has them";
  }

  @Override
  public double predictedNanos(int tokens) {
    double all = (double) weights.rows() * weights.columns();
    return tokens == 1
        ? all / ONE_TOKEN
        : all / DECODED + all * tokens / (DENSE_PER_LANE * Lanes.COUNT);
  }

  @Override
  public LinearKernel pack() {
    return StoredKernel.pack(weights);
  }
}
