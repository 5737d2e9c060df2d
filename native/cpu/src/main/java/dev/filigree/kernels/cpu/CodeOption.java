package dev.filigree.kernels.cpu;

import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.LinearOption;
import dev.filigree.weights.Codebook;

/**
 * The choice of native products with codes of 4 bits.
 *
 * @param base the kernels for more than one token
 * @param several their first choice
 */
record CodeOption(CodeCalls calls, Kernels base, Codebook weights, LinearOption several)
    implements LinearOption {
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
    return tokens == 1
        ? weights.rows() * weights.columns() / calls.perNano()
        : several.predictedNanos(tokens);
  }

  @Override
  public LinearKernel pack() {
    // one copy for both, where there must be one
    Codebook there = new Codebook(weights.rows(), weights.columns(), weights.values().offHeap());
    return CodeRows.pack(calls, base.linear(there).getFirst().pack(), there);
  }
}
