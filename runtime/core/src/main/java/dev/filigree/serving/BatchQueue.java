package dev.filigree.serving;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** The requests that wait, oldest first, with what they take. Not thread-safe: a lock guards it. */
final class BatchQueue {
  private final BatchOptions options;
  private final ArrayDeque<BatchRequest> waiting = new ArrayDeque<>();
  private long rows;
  private long bytes;

  BatchQueue(BatchOptions options) {
    this.options = options;
  }

  int size() {
    return waiting.size();
  }

  long rows() {
    return rows;
  }

  long bytes() {
    return bytes;
  }

  /** The request that has waited longest, or null. */
  BatchRequest oldest() {
    return waiting.peek();
  }

  /** Whether a request finds no place; one that is larger than the whole queue may wait alone. */
  boolean isFullFor(BatchRequest request) {
    return waiting.size() >= options.maxQueue()
        || !waiting.isEmpty() && request.bytes() > options.maxQueueBytes() - bytes;
  }

  void add(BatchRequest request) {
    waiting.add(request);
    rows += request.rows();
    bytes += request.bytes();
  }

  private void forget(BatchRequest request) {
    rows -= request.rows();
    bytes -= request.bytes();
  }

  /**
   * Forgets what was cancelled or came too late.
   *
   * @return how many these were
   */
  int removeAbandoned() {
    int before = waiting.size();
    for (Iterator<BatchRequest> all = waiting.iterator(); all.hasNext(); ) {
      BatchRequest request = all.next();
      if (request.result().isDone()) {
        all.remove();
        forget(request);
      }
    }
    return before - waiting.size();
  }

  /**
   * Takes the oldest request and, in their order, those that can run with it.
   *
   * @param most rows to take, but for the oldest request
   */
  List<BatchRequest> take(long most) {
    long limit = Math.min(options.maxBatch(), most);
    List<BatchRequest> batch = new ArrayList<>();
    BatchRequest oldest = waiting.peek();
    long taken = 0;
    for (Iterator<BatchRequest> all = waiting.iterator(); all.hasNext() && taken < limit; ) {
      BatchRequest request = all.next();
      boolean fits = batch.isEmpty() || taken + request.rows() <= limit;
      if (fits && request.signature().equals(oldest.signature())) {
        batch.add(request);
        taken += request.rows();
        all.remove();
        forget(request);
      }
    }
    return batch;
  }
}
