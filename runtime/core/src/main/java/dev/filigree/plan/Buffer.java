package dev.filigree.plan;

/**
 * A piece of the activation arena: how large, from which step to which step it is needed, and where
 * it was put.
 */
public final class Buffer {
  private final long bytes;
  private int first;
  private int last;
  private long offset = -1;

  /**
   * A buffer not placed yet.
   *
   * @param first step that writes it
   */
  public Buffer(long bytes, int first) {
    this.bytes = bytes;
    this.first = first;
    this.last = first;
  }

  public long bytes() {
    return bytes;
  }

  /** Keeps the buffer until a step has run. */
  public void needUntil(int step) {
    last = Math.max(last, step);
  }

  /** Whether the buffer is needed at one of some steps. */
  boolean isNeededDuring(PanelChain.Range steps) {
    return first <= steps.last() && steps.first() <= last;
  }

  /** Keeps the buffer during all of some steps if it is needed at one of them. */
  void needDuring(PanelChain.Range steps) {
    if (isNeededDuring(steps)) {
      first = Math.min(first, steps.first());
      last = Math.max(last, steps.last());
    }
  }

  /** Keeps the buffer from before the first step. */
  public void needFromStart() {
    first = -1;
  }

  boolean overlaps(Buffer other) {
    return first <= other.last && other.first <= last;
  }

  /** The first step it is needed at, -1 before all. */
  int first() {
    return first;
  }

  int last() {
    return last;
  }

  /** Begins a new life, in the next plan: it is needed at a step and at no other yet. */
  void restart(int step) {
    first = step;
    last = step;
  }

  /** A buffer of another size that is needed at the same steps. */
  Buffer ofBytes(long other) {
    Buffer buffer = new Buffer(other, first);
    buffer.last = last;
    return buffer;
  }

  public void placeAt(long where) {
    offset = where;
  }

  public long offset() {
    return offset;
  }
}
