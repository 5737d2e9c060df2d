package dev.filigree.kernels.vector;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.weights.Weights;
import java.util.Locale;

/**
 * The choice between multiplying every weight and multiplying the kept ones.
 *
 * @param weights to run
 * @param form which weights are multiplied
 */
record VectorOption(Weights weights, Form form) implements LinearOption {
  /** Which weights are multiplied. */
  enum Form {
    DENSE,
    /** The kept weights of outputs in pairs. */
    KEPT,
    /** The kept weights of outputs one by one, for few tokens. */
    FEW_TOKENS,
    /** The kept weights of four outputs that keep the same features. */
    SHARED,
    /** The kept weights of one token, which select their inputs. */
    SELECT
  }

  /**
   * Multiply-adds of one lane a nanosecond: two units at 2.7 GHz, of which a dense tile uses nine
   * tenths.
   */
  private static final double DENSE_PER_LANE = 4.8;

  /** The same for a kept weight: its activations are loaded for two outputs at most, or one. */
  private static final double KEPT_PER_LANE = Lanes.MANY_REGISTERS ? 2.8 : 3.4;

  /** The same for one or two vectors of tokens, where a pair waits for its own sums. */
  private static final double KEPT_OF_FEW_PER_LANE = 1.6;

  /** The same where an output has eight sums. */
  private static final double FEW_TOKENS_PER_LANE = 2.9;

  /** The same where four outputs keep the same features. */
  private static final double SHARED_PER_LANE = 4.2;

  /** Weights a nanosecond that one token streams through in vectors, measured in cache. */
  private static final double ONE_TOKEN_DENSE = 7;

  /** The same for kept weights, which are taken one by one. */
  private static final double ONE_TOKEN_KEPT = 1.3;

  /** The same where kept weights select their inputs. */
  private static final double ONE_TOKEN_SELECT = 10;

  /** Weights a nanosecond that are decoded for several tokens. */
  private static final double DECODED = 0.8;

  /** Bytes a nanosecond from memory beyond the caches. */
  private static final double BANDWIDTH = 10;

  @Override
  public String name() {
    return switch (form) {
      case DENSE -> isDecoded() ? "dense, decoded in cache" : "dense";
      case KEPT -> "kept rows";
      case FEW_TOKENS -> "kept rows of few tokens";
      case SHARED -> "shared rows";
      case SELECT -> "selected inputs";
    };
  }

  private boolean isDecoded() {
    return TileSource.bytesPerWeight(weights) < Float.BYTES;
  }

  @Override
  public String reason() {
    if (form == Form.SELECT) {
      return "streams the 50 % that are kept as " + weights.format();
    }
    if (form != Form.DENSE) {
      String kept = "multiplies the %.0f %% that are kept";
      String text = form == Form.SHARED ? kept + ", the same of four outputs" : kept;
      return String.format(Locale.ROOT, text, 100 * weights.density());
    }
    return isDecoded()
        ? "weights stay " + weights.format() + " in memory"
        : "multiplies every weight";
  }

  @Override
  public double predictedNanos(int tokens) {
    double all = (double) weights.rows() * weights.columns();
    boolean dense = form == Form.DENSE || form == Form.SELECT;
    double multiplyAdds = (dense ? all : weights.stored()) * tokens;
    double perLane =
        switch (form) {
          case DENSE, SELECT -> DENSE_PER_LANE;
          case KEPT -> isFew(tokens) ? KEPT_OF_FEW_PER_LANE : KEPT_PER_LANE;
          case FEW_TOKENS -> isFew(tokens) ? FEW_TOKENS_PER_LANE : KEPT_OF_FEW_PER_LANE;
          case SHARED -> SHARED_PER_LANE;
        };
    double rate = perLane * Lanes.COUNT;
    double bytes = dense ? TileSource.bytesPerWeight(weights) * all : bytesOfKept();
    if (form == Form.SELECT) {
      return tokens == 1
          ? weights.stored() / ONE_TOKEN_SELECT
          : all / DECODED + multiplyAdds / rate;
    }
    if (tokens == 1) {
      double perNano = isDecoded() ? DECODED : ONE_TOKEN_DENSE;
      return dense ? all / perNano : weights.stored() / ONE_TOKEN_KEPT;
    }
    return Math.max(multiplyAdds / rate, bytes / BANDWIDTH);
  }

  private double bytesOfKept() {
    int place = form == Form.FEW_TOKENS ? Short.BYTES : Byte.BYTES;
    return (double) (Float.BYTES + place) * weights.stored();
  }

  private static boolean isFew(int tokens) {
    return tokens <= FewTokensKernel.VECTORS * Lanes.COUNT;
  }

  @Override
  public LinearKernel pack() {
    return switch (form) {
      case DENSE -> DenseKernel.pack(weights);
      case KEPT -> RowKernel.pack(weights);
      case FEW_TOKENS -> FewTokensKernel.pack(weights);
      case SHARED -> SharedKernel.pack(weights);
      case SELECT -> SelectKernel.pack(weights);
    };
  }
}
