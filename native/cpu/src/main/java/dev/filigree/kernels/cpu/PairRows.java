package dev.filigree.kernels.cpu;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Metadata24;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** 2:4 weights of 4-bit codes for one token; {@code codes24_avx512.c} draws them. */
final class PairRows {
  /** Of memory that vectors read. */
  private static final int ALIGNMENT = 64;

  private static final int BITS = 4;

  /** Lanes of a vector, and groups that two rows fill them with. */
  private static final int LANES = 16;

  private static final int GROUPS = LANES / Sparse24.GROUP;

  /** Steps whose codes fill a word, and positions half a word. */
  private static final int STEPS = Integer.SIZE / BITS;

  private static final int BLOCK_GROUPS = STEPS * GROUPS;
  private static final int BLOCK_BYTES = LANES * (Integer.BYTES + Short.BYTES);

  private PairRows() {}

  /** Whether weights have such codes. */
  static boolean fits(Weights weights) {
    return weights instanceof Sparse24 sparse
        && sparse.values() instanceof CodeValues codes
        && codes.bits() == BITS;
  }

  /**
   * Lays weights out that {@linkplain #fits fit}.
   *
   * @param several what multiplies more than one token, of the same weights
   */
  static TokenRows pack(TokenCalls calls, LinearKernel several, Sparse24 weights) {
    CodeValues values = (CodeValues) weights.values();
    MemorySegment books =
        Arena.ofAuto()
            .allocate(values.centroids().byteSize(), ALIGNMENT)
            .copyFrom(values.centroids());
    MemorySegment pairs = pairs(weights, values.codes());
    MemorySegment descriptor =
        Arena.ofAuto()
            .allocateFrom(
                JAVA_LONG,
                pairs.address(),
                books.address(),
                pairBytes(weights),
                weights.columns(),
                values.rowsPerBook());
    long own = pairs.byteSize() + books.byteSize();
    return new TokenRows(calls.codes24(), several, descriptor, own, pairs, books);
  }

  private static long pairBytes(Sparse24 weights) {
    return (long) Math.ceilDiv(weights.groups(), BLOCK_GROUPS) * BLOCK_BYTES;
  }

  /**
   * Codes and positions of rows in pairs.
   *
   * @param codes {@code [rows][groups]}, the two of a group in a byte
   */
  private static MemorySegment pairs(Sparse24 weights, MemorySegment codes) {
    int groups = weights.groups();
    long pairBytes = pairBytes(weights);
    MemorySegment pairs =
        Arena.ofAuto().allocate(pairBytes * Math.ceilDiv(weights.rows(), 2), ALIGNMENT);
    byte[] ofRow = new byte[groups];
    byte[] mask = new byte[weights.mask().bytesPerRow()];
    byte[] pair = new byte[Math.toIntExact(pairBytes)];
    for (int row = 0; row < weights.rows(); row++) {
      if (row % 2 == 0) {
        Arrays.fill(pair, (byte) 0);
      }
      MemorySegment.copy(codes, DType.BYTE, (long) row * groups, ofRow, 0, groups);
      MemorySegment.copy(
          weights.mask().bits(), DType.BYTE, (long) row * mask.length, mask, 0, mask.length);
      for (int group = 0; group < groups; group++) {
        int kept = mask[group / 2] >> group % 2 * Sparse24.GROUP & 0xf;
        put(pair, row % 2, group, ofRow[group], Metadata24.nibble(kept));
      }
      MemorySegment.copy(pair, 0, pairs, DType.BYTE, row / 2 * pairBytes, pair.length);
    }
    return pairs;
  }

  /**
   * Puts a group of a row in its place.
   *
   * @param codes the first in the low bits
   * @param positions of two bits, likewise
   */
  private static void put(byte[] pair, int second, int group, int codes, int positions) {
    int step = group / GROUPS % STEPS;
    int block = group / BLOCK_GROUPS * BLOCK_BYTES;
    for (int i = 0; i < Sparse24.KEPT; i++) {
      int lane = group % GROUPS * Sparse24.GROUP + second * Sparse24.KEPT + i;
      int code = block + lane * Integer.BYTES + step / 2;
      int position = block + LANES * Integer.BYTES + lane * Short.BYTES + step / 4;
      pair[code] |= (byte) ((codes >> i * BITS & 0xf) << step % 2 * BITS);
      pair[position] |= (byte) ((positions >> i * 2 & 3) << step % 4 * 2);
    }
  }
}
