package dev.filigree.kernels.vector;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.weights.Weights;
import java.util.Locale;

/**
 * The choice between multiplying every weight and multiplying the kept ones.
 *
 * @param weights to run
 * @param rows whether only the kept weights are multiplied
 */
record VectorOption(Weights weights, boolean rows) implements LinearOption {
  /**
   * Multiply-adds of one lane a nanosecond: two units at 2.7 GHz, of which a dense tile uses nine
   * tenths.
   */
  private static final double DENSE_PER_LANE = 4.8;

  /** The same for a kept weight: its activations are loaded for two outputs at most. */
  private static final double KEPT_PER_LANE = 2.8;

  /** Weights a nanosecond that one token streams through in vectors, measured in cache. */
  private static final double ONE_TOKEN_DENSE = 7;

  /** The same for kept weights, which are taken one by one. */
  private static final double ONE_TOKEN_KEPT = 1.3;

  /** Bytes a nanosecond from memory beyond the caches. */
  private static final double BANDWIDTH = 10;

  @Override
  public String name() {
    return rows ? "kept rows" : isDecoded() ? "dense, decoded in cache" : "dense";
  }

  private boolean isDecoded() {
    return TileSource.bytesPerWeight(weights) < Float.BYTES;
  }

  @Override
  public String reason() {
    if (rows) {
      return String.format(
          Locale.ROOT, "multiplies the %.0f %% that are kept", 100 * weights.density());
    }
    return isDecoded()
        ? "weights stay " + weights.format() + " in memory"
        : "multiplies every weight";
  }

  @Override
  public double predictedNanos(int tokens) {
    double all = (double) weights.rows() * weights.columns();
    double multiplyAdds = (rows ? weights.stored() : all) * tokens;
    double rate = (rows ? KEPT_PER_LANE : DENSE_PER_LANE) * Lanes.COUNT;
    double bytes = rows ? 5.0 * weights.stored() : TileSource.bytesPerWeight(weights) * all;
    if (tokens == 1) {
      return rows ? weights.stored() / ONE_TOKEN_KEPT : all / ONE_TOKEN_DENSE;
    }
    return Math.max(multiplyAdds / rate, bytes / BANDWIDTH);
  }

  @Override
  public LinearKernel pack() {
    return rows ? RowKernel.pack(weights) : DenseKernel.pack(weights);
  }
}
