package dev.filigree.plan;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Keys and values of the tokens that sequences have read, in pages of 64 tokens that any sequence
 * may take. A page holds all layers; keys lie so that the scores of its tokens are computed by
 * vectors along tokens, values so that their sum is one along features. All are f32.
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
  private final PagePool<MemorySegment> pool;

  /**
   * A cache without pages.
   *
   * @param layers of the decoder
   * @param keyHeads heads of keys and values
   * @param width features of a head
   * @param lanes of the kernels' vectors
   * @param workers threads that may work at the same time
   * @param limit bytes of all pages
   * @throws dev.filigree.InputException if not even one page fits the limit
   */
  KvCache(int layers, int keyHeads, int width, int lanes, int workers, long limit) {
    this.keyHeads = keyHeads;
    this.width = width;
    this.padded = Math.ceilDiv(width, lanes) * lanes;
    this.workers = workers;
    this.layersBytes = layers * layerBytes();
    long pageBytes = layersBytes + workers * scratchBytes();
    this.pool =
        new PagePool<>(PAGE, pageBytes, limit, "", () -> arena.allocate(pageBytes, ALIGNMENT));
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
    return pool.bytesPerToken();
  }

  /** Bytes of all pages there are, in use or not. */
  public long bytes() {
    return pool.bytes();
  }

  /** Tokens that fit the limit, of all sequences together. */
  public long capacity() {
    return pool.capacity();
  }

  /** A sequence that has read nothing. */
  public Sequence sequence() {
    return new Sequence(pool);
  }

  /** Frees all pages; no sequence may be running. */
  @Override
  public void close() {
    if (pool.close()) {
      arena.close();
    }
  }

  /** The pages of one sequence. */
  public static final class Sequence extends PagePool.Sequence<MemorySegment> {
    private Sequence(PagePool<MemorySegment> pool) {
      super(pool);
    }

    MemorySegment page(int number) {
      return pages().get(number);
    }
  }
}
