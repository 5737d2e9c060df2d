package dev.filigree.kernels.cpu;

import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import java.util.function.Supplier;

/**
 * The choice of a native product with one token.
 *
 * @param several the choice for more of them
 * @param oneToken nanoseconds for one
 * @param packing lays the weights out for both
 */
record TokenOption(LinearOption several, double oneToken, Supplier<LinearKernel> packing)
    implements LinearOption {
  /**
   * Of codes that {@linkplain CodeRows#fits fit}.
   *
   * @param base the kernels for more than one token
   */
  static TokenOption of(TokenCalls calls, Kernels base, Codebook weights) {
    return new TokenOption(
        base.linear(weights).getFirst(),
        (double) weights.rows() * weights.columns() / calls.codesPerNano(),
        () -> {
          // one copy for both, where there must be one
          Codebook there =
              new Codebook(weights.rows(), weights.columns(), weights.values().offHeap());
          return CodeRows.pack(calls, base.linear(there).getFirst().pack(), there);
        });
  }

  /**
   * Of integers that {@linkplain ByteRows#fits fit}.
   *
   * @param base the kernels for more than one token
   */
  static TokenOption of(TokenCalls calls, Kernels base, Quantized weights) {
    LinearOption several = base.linear(weights).getFirst();
    return new TokenOption(
        several,
        (double) weights.rows() * weights.columns() / TokenCalls.bytesPerNano(),
        () -> ByteRows.pack(calls, several.pack(), weights));
  }

  /**
   * Of 2:4 codes that {@linkplain PairRows#fits fit}.
   *
   * @param several what is best for one token without it
   */
  static TokenOption of(TokenCalls calls, LinearOption several, Sparse24 weights) {
    return new TokenOption(
        several,
        weights.stored() / TokenCalls.keptCodesPerNano(),
        () -> PairRows.pack(calls, several.pack(), weights));
  }

  @Override
  public String name() {
    return several.name() + ", native for one token";
  }

  @Override
  public String reason() {
    return several.reason();
  }

  @Override
  public double predictedNanos(int tokens) {
    return tokens == 1 ? oneToken : several.predictedNanos(tokens);
  }

  @Override
  public LinearKernel pack() {
    return packing.get();
  }
}
