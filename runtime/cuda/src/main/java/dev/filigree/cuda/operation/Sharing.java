package dev.filigree.cuda.operation;

/**
 * How many threads of a block share what is folded to a number, always a power of two ({@code
 * reduction/share.cuh}). The shape alone decides, so that every device adds up in the same order.
 */
final class Sharing {
  private static final int WARP = 32;

  /** Elements of a row up to which a warp has few rounds to go. */
  private static final int MOST_OF_WARP = 1024;

  /** Elements of a column that a thread reads at a time. */
  private static final int READ_AHEAD = 4;

  /** So that a block of 512 threads still reads eight neighbours. */
  private static final int MOST_OF_COLUMN = 64;

  /** Threads with which the largest devices are busy: 128 multiprocessors of 2048. */
  private static final long BUSY = 1 << 18;

  private Sharing() {}

  /** Threads that share a row of neighbours: one for each up to a warp, or the block. */
  static int ofRow(long length, int block) {
    if (length > MOST_OF_WARP) {
      return block;
    }
    int share = 1;
    while (share < WARP && share < length) {
      share *= 2;
    }
    return share;
  }

  /** Threads that share each of some columns: the more, the longer and the fewer these are. */
  static int ofColumn(long length, long columns) {
    int share = 1;
    while (share < MOST_OF_COLUMN && share * READ_AHEAD < length && share * columns < BUSY) {
      share *= 2;
    }
    return share;
  }
}
