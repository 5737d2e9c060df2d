package dev.filigree.plan;

import dev.filigree.InputException;
import dev.filigree.RejectedException;
import dev.filigree.spi.SequenceRunner;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Supplier;

/**
 * Pages of keys and values that any sequence may take (W. Kwon et al., PagedAttention, 2023),
 * wherever they lie. Memory is taken page by page, never more than a limit, and kept for other
 * sequences. Thread-safe; a sequence is used by one thread at a time.
 *
 * @param <P> a page
 */
public final class PagePool<P> {
  private final int tokens;
  private final long pageBytes;
  private final long limit;
  private final String place;
  private final Supplier<P> allocate;
  private final ArrayDeque<P> free = new ArrayDeque<>();
  private long taken;
  private boolean closed;

  /**
   * A pool without pages.
   *
   * @param tokens of a page
   * @param limit bytes of all pages
   * @param place where they lie, for messages, such as " on the device"; may be empty
   * @param allocate makes a page; whoever gives it frees them all in the end
   * @throws InputException if not even one page fits the limit
   */
  public PagePool(int tokens, long pageBytes, long limit, String place, Supplier<P> allocate) {
    this.tokens = tokens;
    this.pageBytes = pageBytes;
    this.limit = limit;
    this.place = place;
    this.allocate = allocate;
    if (pageBytes > limit) {
      throw new InputException(
          "a cache of " + limit + " bytes holds no page of " + tokens + " tokens" + place,
          "give it " + pageBytes + " bytes or more");
    }
  }

  /** Bytes of all pages there are, in use or not. */
  public synchronized long bytes() {
    return taken;
  }

  /** Bytes one token takes in all layers. */
  public double bytesPerToken() {
    return (double) pageBytes / tokens;
  }

  /** Tokens that fit the limit, of all sequences together. */
  public long capacity() {
    return limit / pageBytes * tokens;
  }

  private synchronized P take() {
    if (closed) {
      throw new IllegalStateException("the decoder was closed");
    }
    P page = free.poll();
    if (page != null) {
      return page;
    }
    if (taken + pageBytes > limit) {
      throw new RejectedException(
          RejectedException.Kind.MEMORY,
          "the cache is full: its " + taken + " bytes" + place + " hold " + capacity() + " tokens",
          "end other sequences, shorten the text, or give the cache more bytes");
    }
    page = allocate.get();
    taken += pageBytes;
    return page;
  }

  private synchronized void give(List<P> pages) {
    free.addAll(pages);
  }

  /**
   * Gives out no page any more; no sequence may be running.
   *
   * @return false if that had been said before
   */
  public synchronized boolean close() {
    boolean first = !closed;
    closed = true;
    free.clear();
    taken = 0;
    return first;
  }

  /**
   * The pages of one sequence.
   *
   * @param <P> a page
   */
  public static class Sequence<P> implements SequenceRunner.Sequence {
    private final PagePool<P> pool;
    private final List<P> pages = new ArrayList<>();
    private int length;

    /** Pages at the front that were given back; null stands in their places. */
    private int forgotten;

    private int window;

    /** A sequence that has read nothing. */
    protected Sequence(PagePool<P> pool) {
      this.pool = pool;
    }

    @Override
    public final int length() {
      return length;
    }

    /** Makes room for more tokens; takes nothing if they do not all fit. */
    public final void reserve(int more) {
      int before = pages.size();
      try {
        while (pages.size() * pool.tokens < length + more) {
          pages.add(pool.take());
        }
      } catch (RuntimeException full) {
        List<P> added = pages.subList(before, pages.size());
        pool.give(List.copyOf(added));
        added.clear();
        throw full;
      }
    }

    /** Counts tokens whose keys and values are written. */
    public final void advance(int tokens) {
      length += tokens;
    }

    /**
     * Gives back the pages that hold nothing but tokens which no later one sees. One page more
     * stays, so that the last tokens may be taken back.
     *
     * @param window tokens that a token sees, itself the last of them; 0 for all
     */
    public final void forget(int window) {
      this.window = window;
      while (window > 0 && (forgotten + 2) * pool.tokens <= length + 1 - window) {
        pool.give(List.of(pages.set(forgotten, null)));
        forgotten++;
      }
    }

    /** Its pages in order; null for those that were forgotten. */
    public final List<P> pages() {
      return Collections.unmodifiableList(pages);
    }

    @Override
    public final void truncate(int kept) {
      if (kept < 0 || kept > length) {
        throw new InputException(
            "a sequence of " + length + " tokens cannot keep " + kept, "keep 0 to " + length);
      }
      int least = forgotten * pool.tokens + window - 1;
      if (forgotten > 0 && kept > 0 && kept < least) {
        throw new InputException(
            "a sequence of "
                + length
                + " tokens whose layers see "
                + window
                + " cannot keep "
                + kept
                + ": what they see then was forgotten",
            "keep " + least + " or more, or none");
      }
      length = kept;
      if (kept == 0) {
        pages.subList(0, forgotten).clear();
        forgotten = 0;
      }
      List<P> rest = pages.subList(Math.ceilDiv(kept, pool.tokens), pages.size());
      pool.give(List.copyOf(rest));
      rest.clear();
    }

    @Override
    public final void close() {
      truncate(0);
    }
  }
}
