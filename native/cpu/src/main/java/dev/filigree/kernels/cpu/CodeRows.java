package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.filigree.spi.LinearKernel;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Codes of 4 bits for one token; {@code codes_avx2.c} and {@code codes_avx512.c} draw how. */
final class CodeRows {
  /** Of memory that vectors read. */
  private static final int ALIGNMENT = 64;

  private static final int BITS = 4;

  private CodeRows() {}

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
  static TokenRows pack(TokenCalls calls, LinearKernel several, Codebook weights) {
    CodeValues values = weights.values();
    MemorySegment books =
        Arena.ofAuto()
            .allocate(values.centroids().byteSize(), ALIGNMENT)
            .copyFrom(values.centroids());
    MemorySegment descriptor =
        Arena.ofAuto()
            .allocateFrom(
                JAVA_LONG,
                values.codes().address(),
                books.address(),
                weights.columns() / 2,
                weights.columns(),
                values.rowsPerBook());
    return new TokenRows(
        calls.codes(), several, descriptor, books.byteSize(), values.codes(), books);
  }
}
