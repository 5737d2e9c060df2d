package dev.filigree.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Places buffers in one block of memory so that those needed at the same time do not overlap. */
public final class Arenas {
  /** Start of every buffer: a cache line and the widest vector. */
  public static final long ALIGNMENT = 64;

  private Arenas() {}

  /** Rounds up to the alignment. */
  public static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /**
   * Gives every buffer an offset: the largest first, each in the lowest gap it fits.
   *
   * @return bytes of the block
   */
  public static long place(List<Buffer> buffers) {
    List<Buffer> bySize = new ArrayList<>(buffers);
    bySize.sort(Comparator.comparingLong(Buffer::bytes).reversed());
    List<Buffer> placed = new ArrayList<>();
    long end = 0;
    for (Buffer buffer : bySize) {
      long at = 0;
      for (Buffer other : placed) {
        // sorted by offset, so the first gap that is wide enough is the lowest
        if (buffer.overlaps(other)) {
          if (other.offset() - at >= buffer.bytes()) {
            break;
          }
          at = Math.max(at, other.offset() + aligned(other.bytes()));
        }
      }
      buffer.placeAt(at);
      placed.add(insertion(placed, at), buffer);
      end = Math.max(end, at + aligned(buffer.bytes()));
    }
    return end;
  }

  /** Where a buffer belongs among others that are sorted by offset, behind those of its own. */
  private static int insertion(List<Buffer> placed, long offset) {
    int from = 0;
    int to = placed.size();
    while (from < to) {
      int middle = (from + to) >>> 1;
      if (placed.get(middle).offset() <= offset) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  }
}
