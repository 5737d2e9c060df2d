package dev.filigree.serving;

import dev.filigree.InputException;
import dev.filigree.RejectedException;
import dev.filigree.Session;
import dev.filigree.Tensor;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Runs the requests of many callers together. One run goes on at a time; what arrives meanwhile
 * waits in a bounded queue, and the next run takes the oldest request with all others that fit it.
 * So batches grow with the load, and a lone caller computes in its own thread as if there were no
 * batcher. Thread-safe, from virtual threads too. The session stays the caller's to close.
 *
 * <p>Requests of a run share its fate: if it fails with an error that names an input, each is tried
 * alone, so that one bad request does not fail its neighbours.
 */
public final class Batcher implements AutoCloseable {
  private final Session session;
  private final BatchOptions options;
  private final BatchLayout layout;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final ArrayDeque<BatchRequest> queue = new ArrayDeque<>();
  private boolean leading;
  private boolean closed;
  private int lastBatch;
  private long requests;
  private long batches;
  private long rejected;
  private long abandoned;
  private long failed;

  private Batcher(Session session, BatchOptions options) {
    this.session = session;
    this.options = options;
    this.layout = BatchLayout.of(session.model(), options);
  }

  /**
   * A batcher over a session.
   *
   * @throws dev.filigree.UnsupportedException if the model has no variable first axis
   */
  public static Batcher over(Session session, BatchOptions options) {
    return new Batcher(session, options);
  }

  /**
   * Runs a request and waits for its outputs.
   *
   * @param inputs by name, with one or more rows along the first axis
   * @return the outputs for these rows
   * @throws InputException if an input is missing or does not fit
   * @throws RejectedException if too many requests wait or the batcher was closed
   */
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    BatchRequest request = request(inputs);
    if (enqueue(request)) {
      lead(request);
    }
    return outcome(request);
  }

  /** Hands a request over and returns at once; see {@link #submit(Map, Duration)}. */
  public CompletableFuture<Map<String, Tensor>> submit(Map<String, Tensor> inputs) {
    BatchRequest request = request(inputs);
    if (enqueue(request)) {
      Thread.ofVirtual().start(() -> lead(null));
    }
    return request.result();
  }

  /**
   * Hands a request over and returns at once. Cancelling the future takes a request that has not
   * begun out of the queue.
   *
   * @param deadline time from now after which nobody wants the outputs any more; the future then
   *     fails with a {@link RejectedException}
   * @return the outputs, or the exceptions {@link #run} throws
   */
  public CompletableFuture<Map<String, Tensor>> submit(
      Map<String, Tensor> inputs, Duration deadline) {
    CompletableFuture<Map<String, Tensor>> result = submit(inputs);
    CompletableFuture.delayedExecutor(deadline.toNanos(), TimeUnit.NANOSECONDS)
        .execute(
            () ->
                result.completeExceptionally(
                    new RejectedException(
                        "the request to "
                            + session.model().name()
                            + " was not done within "
                            + deadline.toMillis()
                            + " ms",
                        "allow more time, or send less at once")));
    return result;
  }

  private BatchRequest request(Map<String, Tensor> inputs) {
    return new BatchRequest(
        inputs,
        layout.signature(inputs),
        layout.rows(inputs),
        System.nanoTime(),
        new CompletableFuture<>());
  }

  /** Puts a request into the queue; true if the caller is to see to it that the queue is run. */
  private boolean enqueue(BatchRequest request) {
    lock.lock();
    try {
      if (closed) {
        rejected++;
        throw new RejectedException(
            "the batcher of " + session.model().name() + " was closed", "open a new one");
      }
      if (queue.size() >= options.maxQueue()) {
        queue.removeIf(this::isAbandoned);
      }
      if (queue.size() >= options.maxQueue()) {
        rejected++;
        throw new RejectedException(
            options.maxQueue() + " requests to " + session.model().name() + " wait already",
            "try again later, or allow a longer queue (maxQueue)");
      }
      queue.add(request);
      changed.signalAll();
      boolean first = !leading;
      leading = true;
      return first;
    } finally {
      lock.unlock();
    }
  }

  private boolean isAbandoned(BatchRequest request) {
    if (request.result().isDone()) {
      abandoned++;
      return true;
    }
    return false;
  }

  /**
   * Runs batches until the queue is empty, or until a request of the leader's own is done: its
   * caller shall not work for others for ever.
   */
  private void lead(BatchRequest own) {
    while (true) {
      List<BatchRequest> batch = next();
      if (batch.isEmpty()) {
        return;
      }
      execute(batch);
      if (own != null && own.result().isDone() && handOver()) {
        return;
      }
    }
  }

  /** Ends this leadership; another thread takes over if requests wait. */
  private boolean handOver() {
    lock.lock();
    try {
      if (queue.isEmpty()) {
        leading = false;
        changed.signalAll();
      } else {
        Thread.ofVirtual().start(() -> lead(null));
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** The oldest request and those that fit it, or none, which ends the leadership. */
  private List<BatchRequest> next() {
    lock.lock();
    try {
      while (true) {
        queue.removeIf(this::isAbandoned);
        BatchRequest oldest = queue.peek();
        if (oldest == null) {
          leading = false;
          changed.signalAll();
          return List.of();
        }
        long waited = System.nanoTime() - oldest.arrived();
        long left = options.maxDelay().toNanos() - waited;
        if (left <= 0 || closed || fitting(oldest) >= worthWaitingFor()) {
          return take(oldest);
        }
        awaitMore(left);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Rows to wait for: as many as ran together last time, since as many callers are there. */
  private int worthWaitingFor() {
    return Math.min(options.maxBatch(), lastBatch);
  }

  private void awaitMore(long nanos) {
    try {
      changed.awaitNanos(nanos);
    } catch (InterruptedException interrupt) {
      // the interrupt is the caller's to see once its request is done; the batch is taken as it is
      Thread.currentThread().interrupt();
      lastBatch = 0;
    }
  }

  private long fitting(BatchRequest oldest) {
    long rows = 0;
    for (BatchRequest request : queue) {
      rows += request.signature().equals(oldest.signature()) ? request.rows() : 0;
    }
    return rows;
  }

  private List<BatchRequest> take(BatchRequest oldest) {
    List<BatchRequest> batch = new ArrayList<>();
    long rows = 0;
    for (Iterator<BatchRequest> waiting = queue.iterator(); waiting.hasNext(); ) {
      BatchRequest request = waiting.next();
      boolean fits = rows + request.rows() <= options.maxBatch() || batch.isEmpty();
      if (fits && request.signature().equals(oldest.signature())) {
        batch.add(request);
        rows += request.rows();
        waiting.remove();
      }
    }
    lastBatch = (int) Math.min(rows, options.maxBatch());
    requests += batch.size();
    batches++;
    return batch;
  }

  private void execute(List<BatchRequest> batch) {
    try {
      List<Map<String, Tensor>> inputs = batch.stream().map(BatchRequest::inputs).toList();
      List<Map<String, Tensor>> outputs = layout.split(inputs, session.run(layout.join(inputs)));
      for (int i = 0; i < outputs.size(); i++) {
        batch.get(i).result().complete(outputs.get(i));
      }
    } catch (InputException bad) {
      if (batch.size() == 1) {
        fail(batch, bad);
      } else {
        batch.forEach(request -> execute(List.of(request)));
      }
    } catch (Throwable cause) {
      fail(batch, cause);
    }
  }

  private void fail(List<BatchRequest> batch, Throwable cause) {
    lock.lock();
    try {
      failed += batch.size();
    } finally {
      lock.unlock();
    }
    batch.forEach(request -> request.result().completeExceptionally(cause));
  }

  private static Map<String, Tensor> outcome(BatchRequest request) {
    try {
      return request.result().join();
    } catch (CompletionException wrapped) {
      switch (wrapped.getCause()) {
        case RuntimeException unchecked -> throw unchecked;
        case Error error -> throw error;
        default -> throw wrapped;
      }
    }
  }

  /** What it has done so far. */
  public BatchStatistics statistics() {
    lock.lock();
    try {
      return new BatchStatistics(requests, batches, rejected, abandoned, failed, queue.size());
    } finally {
      lock.unlock();
    }
  }

  /**
   * Refuses new requests, runs those that wait, and returns when all are done. May be called again.
   */
  @Override
  public void close() {
    boolean interrupted = false;
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
      while (leading) {
        try {
          changed.await();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
    } finally {
      lock.unlock();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
