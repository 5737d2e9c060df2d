package dev.filigree.spi;

/**
 * The sequences that a {@link CellKernel} advances by a step, and where their values lie: byte
 * offsets in one memory, all of them 64-byte aligned but that of the output. Not thread-safe.
 */
public final class CellRows {
  /** Sequences at a time: as many as a tile of the kernels has rows. */
  public static final int MOST = 4;

  private final long[] sums = new long[MOST];
  private final long[] state = new long[MOST];
  private final long[] next = new long[MOST];
  private final long[] cell = new long[MOST];
  private final long[] output = new long[MOST];
  private int count;

  /** None. */
  public CellRows() {}

  /** Forgets all. */
  public void clear() {
    count = 0;
  }

  /**
   * Adds a sequence.
   *
   * @param sums of the inputs for all gates, see {@link CellKernel}
   * @param state the old state, padded
   * @param next the new state, padded
   * @param cell an LSTM's cell, which is replaced, or as much memory for the kernel, padded
   * @param output where the new state goes once more, without padding, 4-byte aligned; or -1
   */
  public void add(long sums, long state, long next, long cell, long output) {
    this.sums[count] = sums;
    this.state[count] = state;
    this.next[count] = next;
    this.cell[count] = cell;
    this.output[count++] = output;
  }

  /** How many there are. */
  public int count() {
    return count;
  }

  /** Offset of a sequence's sums. */
  public long sums(int row) {
    return sums[row];
  }

  /** Offset of its old state. */
  public long state(int row) {
    return state[row];
  }

  /** Offset of its new state. */
  public long next(int row) {
    return next[row];
  }

  /** Offset of its cell. */
  public long cell(int row) {
    return cell[row];
  }

  /** Offset of its output, or -1. */
  public long output(int row) {
    return output[row];
  }
}
