package dev.filigree.weights;

import dev.filigree.WeightsException;

/**
 * The 2-bit metadata that sparse tensor cores read beside 2:4 values (PTX ISA 9.7.14.6.1). Each
 * group of four columns has a nibble: bits 1:0 the position of the first stored value, bits 3:2
 * that of the second. The first position is always the lower one ({@code .sp::ordered_metadata}),
 * which leaves six legal nibbles:
 *
 * <pre>
 *   kept columns   0,1   0,2   1,2   0,3   1,3   2,3
 *   nibble          4     8     9     C     D     E
 * </pre>
 *
 * The architecture-free form, shared by PyTorch, CUTLASS and Triton, packs four nibbles into a
 * 16-bit word: nibble j of word w describes the columns {@code 16w + 4j .. 16w + 4j + 3}. How the
 * words spread over the lanes of a warp is in {@link FragmentMetadata}.
 */
public final class Metadata24 {
  /** Columns a 16-bit word describes. */
  public static final int COLUMNS_PER_WORD = 16;

  /** The nibble of a group beyond the last column; its values are zeros. */
  public static final int PADDING = 0xE;

  /** Nibble of each 4-bit mask; 0, which is illegal, where the mask does not keep exactly two. */
  private static final int[] NIBBLE_OF_MASK = new int[16];

  static {
    for (int first = 0; first < 4; first++) {
      for (int second = first + 1; second < 4; second++) {
        NIBBLE_OF_MASK[1 << first | 1 << second] = first | second << 2;
      }
    }
  }

  private Metadata24() {}

  /**
   * The nibble of a group.
   *
   * @param mask the kept columns of the group, the first in bit 0
   * @throws WeightsException if not exactly two are kept
   */
  public static int nibble(int mask) {
    int nibble = NIBBLE_OF_MASK[mask & 0xf];
    if (nibble == 0) {
      throw new WeightsException(
          "a group that keeps " + Integer.bitCount(mask & 0xf) + " columns has no metadata",
          "keep exactly two of every four columns");
    }
    return nibble;
  }

  /**
   * The mask a nibble stands for, the first column in bit 0.
   *
   * @throws WeightsException if the nibble is not one of the six legal ones
   */
  public static int mask(int nibble) {
    int first = nibble & 3;
    int second = nibble >> 2 & 3;
    if (first >= second || nibble >>> 4 != 0) {
      throw new WeightsException(
          "metadata nibble 0x" + Integer.toHexString(nibble) + " is illegal",
          "use one of 4, 8, 9, C, D, E");
    }
    return 1 << first | 1 << second;
  }

  /**
   * The metadata words of all rows, {@code [rows, words]}, each row padded to a number of columns
   * with legal nibbles.
   *
   * @param paddedColumns a multiple of 16, at least the columns of the weights
   */
  public static short[] words(Sparse24 weights, int paddedColumns) {
    if (paddedColumns % COLUMNS_PER_WORD != 0 || paddedColumns < weights.columns()) {
      throw new WeightsException(
          "metadata of " + weights.columns() + " columns cannot be padded to " + paddedColumns,
          "pad to a multiple of " + COLUMNS_PER_WORD);
    }
    int perRow = paddedColumns / COLUMNS_PER_WORD;
    short[] words = new short[Math.multiplyExact(weights.rows(), perRow)];
    for (int row = 0; row < weights.rows(); row++) {
      for (int group = 0; group < paddedColumns / Sparse24.GROUP; group++) {
        int nibble = group < weights.groups() ? nibble(weights.mask().group(row, group)) : PADDING;
        words[row * perRow + group / 4] |= (short) (nibble << group % 4 * 4);
      }
    }
    return words;
  }
}
