package dev.filigree.kernels.cpu;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;

/**
 * Weights that are read where the file has them: one token is multiplied natively, in f32 with
 * every weight as it is, more of them by another kernel.
 */
final class TokenRows implements LinearKernel {
  private final MethodHandle token;
  private final LinearKernel several;
  private final MemorySegment descriptor;
  private final MemorySegment[] operands;
  private final long own;

  /**
   * Weights laid out.
   *
   * @param token {@code (descriptor, x, y, from, to)}: addresses, and the rows
   * @param several what multiplies more than one token, of the same weights
   * @param descriptor the struct that the native function reads
   * @param own bytes that were allocated for it
   * @param operands what the descriptor points to
   */
  TokenRows(
      MethodHandle token,
      LinearKernel several,
      MemorySegment descriptor,
      long own,
      MemorySegment... operands) {
    this.token = token;
    this.several = several;
    this.descriptor = descriptor;
    this.own = own;
    this.operands = operands;
  }

  @Override
  public int rows() {
    return several.rows();
  }

  @Override
  public int columns() {
    return several.columns();
  }

  /** What the other kernel copied or laid out, and what the native one needs beside the codes. */
  @Override
  public long bytes() {
    return several.bytes() + own;
  }

  @Override
  public int scratch() {
    return several.scratch();
  }

  @Override
  public void accumulate(
      int block,
      Panels panels,
      int from,
      int to,
      MemorySegment memory,
      long x,
      long y,
      float[] scratch) {
    if (panels.tokens() != 1) {
      several.accumulate(block, panels, from, to, memory, x, y, scratch);
      return;
    }
    long first = (long) block * BLOCK;
    long last = Math.min(rows(), first + BLOCK);
    try {
      token.invokeExact(
          descriptor.address(), memory.address() + x, memory.address() + y, first, last);
    } catch (Throwable thrown) {
      throw NativeLibrary.failed(thrown);
    } finally {
      Reference.reachabilityFence(operands);
    }
  }
}
