package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;

/**
 * Codes of 4 bits, read where the file has them: one token is multiplied natively, in f32 with
 * every centroid as it is ({@code codes_avx2.c} and {@code codes_avx512.c} draw how), more of them
 * by another kernel.
 */
final class CodeRows implements LinearKernel {
  /** Of memory that vectors read. */
  private static final int ALIGNMENT = 64;

  private static final int BITS = 4;

  private final MethodHandle token;
  private final LinearKernel several;

  /** The struct {@code fg_codes}, and what it points to. */
  private final MemorySegment descriptor;

  private final MemorySegment codes;
  private final MemorySegment books;

  private CodeRows(MethodHandle token, LinearKernel several, Codebook weights) {
    CodeValues values = weights.values();
    this.token = token;
    this.several = several;
    this.codes = values.codes();
    this.books =
        Arena.ofAuto()
            .allocate(values.centroids().byteSize(), ALIGNMENT)
            .copyFrom(values.centroids());
    this.descriptor =
        Arena.ofAuto()
            .allocateFrom(
                JAVA_LONG,
                codes.address(),
                books.address(),
                weights.columns() / 2,
                weights.columns(),
                values.rowsPerBook());
  }

  /** Whether weights have such codes, and rows that begin with whole bytes. */
  static boolean fits(Weights weights) {
    return weights instanceof Codebook codebook
        && codebook.values().bits() == BITS
        && codebook.columns() % 2 == 0;
  }

  /**
   * Lays weights out that {@linkplain #fits fit} and lie {@linkplain CodeValues#offHeap off the
   * heap}.
   *
   * @param several what multiplies more than one token, of the same weights
   */
  static CodeRows pack(CodeCalls calls, LinearKernel several, Codebook weights) {
    return new CodeRows(calls.token(), several, weights);
  }

  @Override
  public int rows() {
    return several.rows();
  }

  @Override
  public int columns() {
    return several.columns();
  }

  /** What the other kernel copied or laid out, and the codebooks. */
  @Override
  public long bytes() {
    return several.bytes() + books.byteSize();
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
      Reference.reachabilityFence(this);
    }
  }
}
