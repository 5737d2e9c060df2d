package dev.filigree.kernel.window;

import dev.filigree.Shape;

/** Visits what a window covers at each of its positions. */
final class Windows {
  private final Window window;
  private final long[] extents;
  private final long[] starts;
  private final long[] firsts;
  private final long[] counts;
  private final long[] steps;
  private final Position output;
  private final Position inside;

  /**
   * @param extents of the input's spatial axes
   */
  Windows(Window window, long[] extents) {
    int rank = window.rank();
    this.window = window;
    this.extents = extents;
    this.starts = new long[rank];
    this.firsts = new long[rank];
    this.counts = new long[rank];
    this.steps = Shape.of(extents).strides();
    this.output = new Position(window.outputs());
    this.inside = new Position(counts);
  }

  /** An element under the window. */
  @FunctionalInterface
  interface Body {
    /**
     * @param element of the channel, in row-major order
     * @param tap element of the window, in row-major order
     */
    void at(long element, long tap);
  }

  /** A position of the window. */
  @FunctionalInterface
  interface Each {
    /**
     * @param position in row-major order
     */
    void at(long position);
  }

  /** Visits every position; within the call {@link #forEachElement} visits what lies under it. */
  void forEachPosition(Each each) {
    output.reset();
    for (long position = 0, n = window.positions(); position < n; position++) {
      for (int axis = 0; axis < starts.length; axis++) {
        starts[axis] = window.start(axis, output.at(axis));
        firsts[axis] = Math.min(window.kernel()[axis], window.first(axis, starts[axis]));
        counts[axis] = Math.max(0, window.last(axis, starts[axis], extents[axis]) - firsts[axis]);
      }
      each.at(position);
      output.advance();
    }
  }

  /** Elements of the input under the window, without padding. */
  long covered() {
    long covered = 1;
    for (long count : counts) {
      covered *= count;
    }
    return covered;
  }

  /** Elements of the padded input under the window. */
  long coveredWithPadding(long[] after) {
    long covered = 1;
    for (int axis = 0; axis < starts.length; axis++) {
      long end = extents[axis] + after[axis];
      covered *=
          Math.clamp(
              Math.ceilDiv(end - starts[axis], window.dilations()[axis]), 0, window.kernel()[axis]);
    }
    return covered;
  }

  /** Visits the elements of the input under the window, without padding. */
  void forEachElement(Body body) {
    inside.reset();
    for (long i = 0, n = covered(); i < n; i++) {
      long element = 0;
      long tap = 0;
      for (int axis = 0; axis < starts.length; axis++) {
        long k = firsts[axis] + inside.at(axis);
        element += (starts[axis] + k * window.dilations()[axis]) * steps[axis];
        tap = tap * window.kernel()[axis] + k;
      }
      body.at(element, tap);
      inside.advance();
    }
  }
}
