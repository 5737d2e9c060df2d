package dev.filigree.spi;

import java.lang.foreign.MemorySegment;

/**
 * A linear layer's weights laid out for a kernel that reads f32 panels. Immutable after packing and
 * safe to use from many threads, each with a scratch array of its own.
 */
public non-sealed interface LinearKernel extends PackedLinear {
  /** Floats of scratch a thread needs while it runs a block. */
  int scratch();

  /**
   * Adds the product to a block of outputs: {@code y[o] += sum over k of W[o, k] * x[k]} for the
   * outputs {@code [block * BLOCK, min(rows, (block + 1) * BLOCK))} and a range of panels.
   *
   * @param block which outputs
   * @param panels of x {@code [tokens, columns]} and y {@code [tokens, rows]}
   * @param from first panel
   * @param to panel after the last
   * @param memory holds x and y, 64-byte aligned
   * @param x byte offset of the inputs
   * @param y byte offset of the outputs
   * @param scratch of this thread
   */
  void accumulate(
      int block,
      Panels panels,
      int from,
      int to,
      MemorySegment memory,
      long x,
      long y,
      float[] scratch);
}
