package dev.filigree.cuda.operation;

/**
 * 2:4 sparsity on the device: the twins of {@link dev.filigree.weights.Sparse24} and {@link
 * dev.filigree.weights.Metadata24}. A fault is an i64 that holds {@link Gather#NO_FAULT} before and
 * the position of the first bad group after, counted through all rows.
 */
public final class Sparsity24 {
  private static final int WORD_COLUMNS = 16;
  private static final int WORD_VALUES = 8;
  private static final int WORDS_PER_THREAD = 4;

  private Sparsity24() {}

  /** Packed weights in their logical order. */
  public record Packed(Rows values, long metadata) {
    /** Metadata words of a row. */
    int words() {
      return values.columns() / WORD_VALUES;
    }
  }

  /**
   * Keeps the masked weights; three or more in a group are a fault.
   *
   * @param w 16-bit {@code [rows, columns]}
   * @param mask address of its bitmask, {@code [rows, ceil(columns / 8)]} bytes
   * @param packed values {@code [rows, 8 * words]} without padding, metadata u16 {@code [rows,
   *     words]}; the words cover the columns
   */
  public static Launch pack(
      OperationKernels kernels, Rows w, long mask, Packed packed, long fault) {
    return OperationKernels.elements(
        kernels.kernel("pack24_b16"),
        w.rows() * packed.words(),
        arguments ->
            arguments
                .pointer("w", w.address())
                .pointer("mask", mask)
                .pointer("values", packed.values.address())
                .pointer("meta", packed.metadata)
                .i32("rows", Math.toIntExact(w.rows()))
                .i32("columns", w.columns())
                .i32("pitchW", w.pitch())
                .i32("words", packed.words())
                .pointer("fault", fault));
  }

  /** The dense form again; a nibble that is not legal is a fault. */
  public static Launch unpack(OperationKernels kernels, Packed packed, Rows w, long fault) {
    return OperationKernels.elements(
        kernels.kernel("unpack24_b16"),
        w.rows() * Math.ceilDiv(w.pitch(), WORD_COLUMNS),
        arguments ->
            arguments
                .pointer("values", packed.values.address())
                .pointer("meta", packed.metadata)
                .pointer("w", w.address())
                .i32("rows", Math.toIntExact(w.rows()))
                .i32("columns", w.columns())
                .i32("pitchW", w.pitch())
                .i32("words", packed.words())
                .pointer("fault", fault));
  }

  /**
   * Checks metadata in any order, of fragments too.
   *
   * @param metadata address of 32-bit words, a multiple of 16
   * @param count how many
   * @param fault receives the position of the first illegal nibble
   */
  public static Launch check(OperationKernels kernels, long metadata, long count, long fault) {
    return OperationKernels.elements(
        kernels.kernel("check24"),
        Math.ceilDiv(count, WORDS_PER_THREAD),
        arguments ->
            arguments.pointer("meta", metadata).i64("count", count).pointer("fault", fault));
  }
}
