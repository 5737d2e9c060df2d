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
  private static final int WASTE = 3;

  /** Plans in a row with buffers that grew by no more than a part before they get room. */
  private static final int OFTEN = 3;

  private static final int LITTLE = 4;

  /** Part of its size by which a buffer may then grow. */
  private static final int ROOM = 4;

  /** Bytes up to which it may grow to twice its size. */
  private static final long SMALL = 1 << 16;

  private final long limit;
  private int[] lives = new int[0];
  private long[] room = new long[0];
  private long[] offsets = new long[0];
  private long[] needed = new long[0];
  private long end;
  private int grown;

  /**
   * Nothing was placed yet.
   *
   * @param limit bytes beyond which no room to grow is given
   */
  Placement(long limit) {
    this.limit = limit;
  }

  /** Bytes beyond which no room to grow is given. */
  long limit() {
    return limit;
  }

  /**
   * Whether {@link #place} would put buffers where those of the last plan lay, and leave buffers
   * where they are that were placed before.
   */
  boolean keeps(List<Buffer> buffers) {
    if (!isAlike(buffers) || !fits(buffers)) {
      return false;
    }
    for (int i = 0; i < offsets.length; i++) {
      long offset = buffers.get(i).offset();
      if (offset >= 0 && offset != offsets[i]) {
        return false;
      }
    }
    return true;
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
    grown = isAlike(buffers) && growLittle(buffers) ? grown + 1 : 0;
    List<Buffer> placed = grown >= OFTEN ? withRoom(buffers) : buffers;
    end = Arenas.place(placed);
    if (end > limit && placed != buffers) {
      placed = buffers;
      end = Arenas.place(placed);
    }
    note(buffers, placed);
    return end;
  }

  private boolean growLittle(List<Buffer> buffers) {
    for (int i = 0; i < needed.length; i++) {
      if (buffers.get(i).bytes() - needed[i] > needed[i] / LITTLE) {
        return false;
      }
    }
    return true;
  }

  private List<Buffer> withRoom(List<Buffer> buffers) {
    List<Buffer> placed = new ArrayList<>();
    for (int i = 0; i < needed.length; i++) {
      long bytes = buffers.get(i).bytes();
      boolean goesOn = bytes > needed[i];
      long more = goesOn ? bytes / ROOM + Math.min(bytes, SMALL) : 0;
      placed.add(buffers.get(i).ofBytes(bytes + more));
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
