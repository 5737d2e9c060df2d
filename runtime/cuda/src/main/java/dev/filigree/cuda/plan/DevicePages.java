package dev.filigree.cuda.plan;

import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.cuda.driver.DeviceMemory;
import dev.filigree.cuda.operation.CachedAttention;
import dev.filigree.plan.PagePool;
import java.util.ArrayList;
import java.util.List;

/**
 * Keys and values on the device, in pages of 64 tokens of all layers that any sequence may take:
 * the device's side of {@link dev.filigree.plan.KvCache}, in f16. Thread-safe; a sequence is used
 * by one thread at a time.
 */
final class DevicePages implements AutoCloseable {
  private final List<DeviceMemory> all = new ArrayList<>();
  private final PagePool<DeviceMemory> pool;

  /**
   * A cache without pages.
   *
   * @throws dev.filigree.InputException if not even one page fits the limit
   */
  DevicePages(CudaContext context, long pageBytes, long limit) {
    // the pool asks for one page at a time
    pool =
        new PagePool<>(
            CachedAttention.PAGE,
            pageBytes,
            limit,
            " on the device",
            () -> {
              DeviceMemory page = context.allocate(pageBytes);
              all.add(page);
              return page;
            });
  }

  /** Bytes of all pages there are, in use or not. */
  long bytes() {
    return pool.bytes();
  }

  double bytesPerToken() {
    return pool.bytesPerToken();
  }

  /** A sequence that has read nothing. */
  Sequence sequence() {
    return new Sequence(pool);
  }

  /** Frees all pages; no run may be going on. */
  @Override
  public void close() {
    if (pool.close()) {
      all.forEach(DeviceMemory::close);
    }
  }

  /** The pages of one sequence. */
  static final class Sequence extends PagePool.Sequence<DeviceMemory> {
    private Sequence(PagePool<DeviceMemory> pool) {
      super(pool);
    }

    /** Addresses of its pages; 0 for those that were forgotten. */
    long[] addresses() {
      return pages().stream().mapToLong(page -> page == null ? 0 : page.address()).toArray();
    }
  }
}
