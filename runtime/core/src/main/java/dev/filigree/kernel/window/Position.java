package dev.filigree.kernel.window;

import java.util.Arrays;

/** Walks positions of a box in row-major order; allocates when made and never when walked. */
final class Position {
  private final long[] extents;
  private final long[] index;

  Position(long[] extents) {
    this.extents = extents;
    this.index = new long[extents.length];
  }

  /** The position along an axis. */
  long at(int axis) {
    return index[axis];
  }

  /** Goes back to the start. */
  void reset() {
    Arrays.fill(index, 0);
  }

  /** Takes one step; after the last position it is at the start again. */
  void advance() {
    for (int axis = index.length - 1; axis >= 0 && ++index[axis] == extents[axis]; axis--) {
      index[axis] = 0;
    }
  }
}
