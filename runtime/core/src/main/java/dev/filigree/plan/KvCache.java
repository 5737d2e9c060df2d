package dev.filigree.plan;

import dev.filigree.InputException;
import dev.filigree.RejectedException;
import dev.filigree.spi.SequenceRunner;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values of the tokens that sequences have read, in pages of 64 tokens that any sequence
 * may take (W. Kwon et al., PagedAttention, 2023). Memory is taken page by page, never more than a
 * limit, and comes back when a sequence ends. A page holds all layers; keys lie so that the scores
 * of its tokens are computed by vectors along tokens, values so that their sum is one along
 * features. All are f32.
 *
 * <pre>
 *   page:  layer 0: head 0: keys [width][64], values [64][padded width] | head 1: ... | layer 1: ...
 *          | scratch of each worker: scores [64], sum [padded width]
 * </pre>
 *
 * Thread-safe; a sequence is used by one thread at a time.
 */
public final class KvCache implements AutoCloseable {
  /** Tokens of a page: a whole number of vectors of any length. */
  static final int PAGE = 64;

  private static final long ALIGNMENT = 64;

  private final Arena arena = Arena.ofShared();
  private final int keyHeads;
  private final int width;
  private final int padded;
  private final int workers;
  private final long layersBytes;
  private final long pageBytes;
  private final long limit;
  private final ArrayDeque<MemorySegment> free = new ArrayDeque<>();
  private long taken;
  private boolean closed;

  /**
   * A cache without pages.
   *
   * @param layers of the decoder
   * @param keyHeads heads of keys and values
   * @param width features of a head
   * @param lanes of the kernels' vectors
   * @param workers threads that may work at the same time
   * @param limit bytes of all pages
   * @throws InputException if not even one page fits the limit
   */
  KvCache(int layers, int keyHeads, int width, int lanes, int workers, long limit) {
    this.keyHeads = keyHeads;
    this.width = width;
    this.padded = Math.ceilDiv(width, lanes) * lanes;
    this.workers = workers;
    this.layersBytes = layers * layerBytes();
    this.pageBytes = layersBytes + workers * scratchBytes();
    this.limit = limit;
    if (pageBytes > limit) {
      throw new InputException(
          "a cache of " + limit + " bytes holds no page of " + PAGE + " tokens",
          "give it " + pageBytes + " bytes or more");
    }
  }

  private long headBytes() {
    return (long) PAGE * (width + padded) * Float.BYTES;
  }

  private long layerBytes() {
    return keyHeads * headBytes();
  }

  private long scratchBytes() {
    long bytes = (long) (PAGE + padded) * Float.BYTES;
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  int width() {
    return width;
  }

  int padded() {
    return padded;
  }

  /** Offset in a page of a head's keys. */
  long keys(int layer, int head) {
    return layer * layerBytes() + head * headBytes();
  }

  /** Offset in a page of a head's values. */
  long values(int layer, int head) {
    return keys(layer, head) + (long) PAGE * width * Float.BYTES;
  }

  /** Offset in a page of a worker's scores; its sum follows after {@link #PAGE} floats. */
  long scratch(int worker) {
    return layersBytes + worker * scratchBytes();
  }

  /** Bytes one token takes in all layers, a page's padding and scratch included. */
  public double bytesPerToken() {
    return (double) pageBytes / PAGE;
  }

  /** Bytes of all pages there are, in use or not. */
  public synchronized long bytes() {
    return taken;
  }

  /** Tokens that fit the limit, of all sequences together. */
  public long capacity() {
    return limit / pageBytes * PAGE;
  }

  /** A sequence that has read nothing. */
  public Sequence sequence() {
    return new Sequence();
  }

  private synchronized MemorySegment take() {
    if (closed) {
      throw new IllegalStateException("the decoder was closed");
    }
    MemorySegment page = free.poll();
    if (page != null) {
      return page;
    }
    if (taken + pageBytes > limit) {
      throw new RejectedException(
          RejectedException.Kind.MEMORY,
          "the cache is full: its " + taken + " bytes hold " + capacity() + " tokens",
          "end other sequences, shorten the text, or give the cache more bytes");
    }
    page = arena.allocate(pageBytes, ALIGNMENT);
    taken += pageBytes;
    return page;
  }

  private synchronized void give(List<MemorySegment> pages) {
    free.addAll(pages);
  }

  /** Frees all pages; no sequence may be running. */
  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      free.clear();
      arena.close();
    }
  }

  /** The pages of one sequence. */
  public final class Sequence implements SequenceRunner.Sequence {
    private final List<MemorySegment> pages = new ArrayList<>();
    private int length;

    private Sequence() {}

    @Override
    public int length() {
      return length;
    }

    /** Makes room for more tokens; takes nothing if they do not all fit. */
    void reserve(int more) {
      int before = pages.size();
      try {
        while (pages.size() * PAGE < length + more) {
          pages.add(take());
        }
      } catch (RuntimeException full) {
        List<MemorySegment> added = pages.subList(before, pages.size());
        give(List.copyOf(added));
        added.clear();
        throw full;
      }
    }

    void advance(int tokens) {
      length += tokens;
    }

    MemorySegment page(int number) {
      return pages.get(number);
    }

    @Override
    public void truncate(int kept) {
      if (kept < 0 || kept > length) {
        throw new InputException(
            "a sequence of " + length + " tokens cannot keep " + kept, "keep 0 to " + length);
      }
      length = kept;
      List<MemorySegment> rest = pages.subList(Math.ceilDiv(kept, PAGE), pages.size());
      give(List.copyOf(rest));
      rest.clear();
    }

    @Override
    public void close() {
      truncate(0);
    }
  }
}
