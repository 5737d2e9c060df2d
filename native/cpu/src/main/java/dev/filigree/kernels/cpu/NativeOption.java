package dev.filigree.kernels.cpu;

import dev.filigree.spi.RoundedKernel;
import dev.filigree.spi.RoundedOption;
import dev.filigree.weights.Weights;

/**
 * The choice of a native kernel.
 *
 * @param integers the weights as integers, or null
 * @param weights the weights to be rounded to bf16, or null
 */
record NativeOption(NativeCalls calls, IntegerRows integers, Weights weights)
    implements RoundedOption {
  /** Bytes of weights a nanosecond that one token streams through. */
  private static final double BANDWIDTH = 20;

  static NativeOption of(NativeCalls calls, IntegerRows integers) {
    return new NativeOption(calls, integers, null);
  }

  static NativeOption of(NativeCalls calls, Weights weights) {
    return new NativeOption(calls, null, weights);
  }

  @Override
  public String name() {
    return calls.instructions().label();
  }

  @Override
  public String reason() {
    return integers != null
        ? "inputs rounded to 8 bits, sums of integers exact"
        : "inputs and weights rounded to bf16";
  }

  @Override
  public double predictedNanos(int tokens) {
    double all =
        integers != null
            ? (double) integers.rows() * integers.columns()
            : (double) weights.rows() * weights.columns();
    double bytes = integers != null ? all : Short.BYTES * all;
    return Math.max(all * tokens / calls.instructions().perNano(), bytes / BANDWIDTH);
  }

  @Override
  public RoundedKernel pack() {
    return integers != null
        ? NativeLinear.pack(calls, integers)
        : NativeLinear.pack(calls, weights);
  }
}
