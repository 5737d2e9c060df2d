package dev.filigree.cuda.plan;

import dev.filigree.InputException;
import dev.filigree.RejectedException;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.spi.SequenceRunner;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values on the device, in pages of 64 tokens of all layers that any sequence may take:
 * the device's side of {@link dev.filigree.plan.KvCache}, in f16. Memory is taken page by page,
 * never more than a limit, and is kept for other sequences. Thread-safe; a sequence is used by one
 * thread at a time.
 */
final class DevicePages implements AutoCloseable {
  private final CudaContext context;
  private final long pageBytes;
  private final long limit;
  private final List<DeviceMemory> all = new ArrayList<>();
  private final ArrayDeque<DeviceMemory> free = new ArrayDeque<>();
  private boolean closed;

  /**
   * A cache without pages.
   *
   * @throws InputException if not even one page fits the limit
   */
  DevicePages(CudaContext context, long pageBytes, long limit) {
    this.context = context;
    this.pageBytes = pageBytes;
    this.limit = limit;
    if (pageBytes > limit) {
      throw new InputException(
          "a cache of "
              + limit
              + " bytes holds no page of "
              + CachedAttention.PAGE
              + " tokens on the device",
          "give it " + pageBytes + " bytes or more");
    }
  }

  /** Bytes of all pages there are, in use or not. */
  synchronized long bytes() {
    return all.size() * pageBytes;
  }

  double bytesPerToken() {
    return (double) pageBytes / CachedAttention.PAGE;
  }

  private synchronized DeviceMemory take() {
    if (closed) {
      throw new IllegalStateException("the decoder was closed");
    }
    DeviceMemory page = free.poll();
    if (page != null) {
      return page;
    }
    if (bytes() + pageBytes > limit) {
      throw new RejectedException(
          RejectedException.Kind.MEMORY,
          "the cache is full: its "
              + bytes()
              + " bytes on the device hold "
              + limit / pageBytes * CachedAttention.PAGE
              + " tokens",
          "end other sequences, shorten the text, or give the cache more bytes");
    }
    page = context.allocate(pageBytes);
    all.add(page);
    return page;
  }

  private synchronized void give(List<DeviceMemory> pages) {
    free.addAll(pages);
  }

  /** Frees all pages; no run may be going on. */
  @Override
  public synchronized void close() {
    closed = true;
    free.clear();
    all.forEach(DeviceMemory::close);
    all.clear();
  }

  /** The pages of one sequence. */
  final class Sequence implements SequenceRunner.Sequence {
    private final List<DeviceMemory> pages = new ArrayList<>();
    private int length;

    @Override
    public int length() {
      return length;
    }

    /** Makes room for more tokens; takes nothing if they do not all fit. */
    void reserve(int more) {
      int before = pages.size();
      try {
        while (pages.size() * CachedAttention.PAGE < length + more) {
          pages.add(take());
        }
      } catch (RuntimeException full) {
        List<DeviceMemory> added = pages.subList(before, pages.size());
        give(List.copyOf(added));
        added.clear();
        throw full;
      }
    }

    void advance(int tokens) {
      length += tokens;
    }

    /** Addresses of its pages. */
    long[] addresses() {
      return pages.stream().mapToLong(DeviceMemory::address).toArray();
    }

    @Override
    public void truncate(int kept) {
      if (kept < 0 || kept > length) {
        throw new InputException(
            "a sequence of " + length + " tokens cannot keep " + kept, "keep 0 to " + length);
      }
      length = kept;
      List<DeviceMemory> rest =
          pages.subList(Math.ceilDiv(kept, CachedAttention.PAGE), pages.size());
      give(List.copyOf(rest));
      rest.clear();
    }

    @Override
    public void close() {
      truncate(0);
    }
  }
}
