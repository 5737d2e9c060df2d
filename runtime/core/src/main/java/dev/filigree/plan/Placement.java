package dev.filigree.plan;

import java.util.ArrayList;
import java.util.List;

/**
 * Places the buffers of one plan after the other of the same graph. Where the next plan needs the
 * same buffers at the same steps and they fit where the last plan's lay, they lie there again and
 * nothing is searched. Buffers that grew a little, as a decoder's cache does token by token, are
 * given room to grow further. Not thread-safe.
 */
final class Placement {
  /** Times the bytes needed that the room of the last plan may have before it is given up. */
  private static final int WASTE = 2;

  /** A buffer that grew by no more than this part of its size is likely to go on. */
  private static final int LITTLE = 32;

  /** Part of its size by which it may then grow. */
  private static final int ROOM = 4;

  private final long limit;
  private int[] lives = new int[0];
  private long[] room = new long[0];
  private long[] offsets = new long[0];
  private long[] needed = new long[0];
  private long end;

  /**
   * Nothing was placed yet.
   *
   * @param limit bytes beyond which no room to grow is given
   */
  Placement(long limit) {
    this.limit = limit;
  }

  /** Whether {@link #place} would put buffers where those of the last plan lay. */
  boolean keeps(List<Buffer> buffers) {
    return isAlike(buffers) && fits(buffers);
  }

  /**
   * Gives every buffer an offset.
   *
   * @return bytes of the block
   */
  long place(List<Buffer> buffers) {
    if (keeps(buffers)) {
      for (int i = 0; i < offsets.length; i++) {
        buffers.get(i).placeAt(offsets[i]);
        needed[i] = buffers.get(i).bytes();
      }
      return end;
    }
    List<Buffer> placed = isAlike(buffers) ? withRoom(buffers) : buffers;
    end = Arenas.place(placed);
    if (end > limit && placed != buffers) {
      placed = buffers;
      end = Arenas.place(placed);
    }
    note(buffers, placed);
    return end;
  }

  private List<Buffer> withRoom(List<Buffer> buffers) {
    List<Buffer> placed = new ArrayList<>();
    for (int i = 0; i < needed.length; i++) {
      long bytes = buffers.get(i).bytes();
      boolean goesOn = bytes > needed[i] && bytes - needed[i] <= needed[i] / LITTLE;
      placed.add(buffers.get(i).ofBytes(goesOn ? bytes + bytes / ROOM : bytes));
    }
    return placed;
  }

  private void note(List<Buffer> buffers, List<Buffer> placed) {
    int count = buffers.size();
    lives = new int[2 * count];
    room = new long[count];
    offsets = new long[count];
    needed = new long[count];
    for (int i = 0; i < count; i++) {
      Buffer buffer = buffers.get(i);
      lives[2 * i] = buffer.first();
      lives[2 * i + 1] = buffer.last();
      room[i] = placed.get(i).bytes();
      offsets[i] = placed.get(i).offset();
      needed[i] = buffer.bytes();
      buffer.placeAt(offsets[i]);
    }
  }

  /** Whether as many buffers are needed at the same steps as those of the last plan. */
  private boolean isAlike(List<Buffer> buffers) {
    if (buffers.size() != room.length) {
      return false;
    }
    for (int i = 0; i < room.length; i++) {
      Buffer buffer = buffers.get(i);
      if (buffer.first() != lives[2 * i] || buffer.last() != lives[2 * i + 1]) {
        return false;
      }
    }
    return true;
  }

  private boolean fits(List<Buffer> buffers) {
    long had = 0;
    long all = 0;
    for (int i = 0; i < room.length; i++) {
      long bytes = buffers.get(i).bytes();
      if (bytes > room[i]) {
        return false;
      }
      had += room[i];
      all += bytes;
    }
    return had <= WASTE * all;
  }
}
