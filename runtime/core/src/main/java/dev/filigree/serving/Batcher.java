package dev.filigree.serving;

import dev.filigree.Device;
import dev.filigree.DeviceException;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.RejectedException;
import dev.filigree.RejectedException.Kind;
import dev.filigree.Session;
import dev.filigree.Tensor;
import dev.filigree.event.BatchEvent;
import dev.filigree.event.Flight;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * Runs the requests of many callers together. On a CPU as many runs go on at a time as the session
 * has threads, each on its own, so that none waits for another at the end of every layer; on other
 * devices it is one. What arrives meanwhile waits in a bounded queue, and the next run takes the
 * oldest request with others that fit it, its share of all, so none is overtaken for ever. Batches
 * grow with the load, and a lone caller computes in its own thread as if there were no batcher.
 * Thread-safe, from virtual threads too. The session stays the caller's to close.
 *
 * <p>Requests of a run share its fate: if it fails with an error that names an input, each is tried
 * alone, so that one bad request does not fail its neighbours.
 */
public final class Batcher implements AutoCloseable {
  private final Session session;
  private final BatchOptions options;
  private final BatchLayout layout;
  private final Consumer<DeviceException> whenLost;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final BatchQueue queue;
  private final Recorder latencies = new Recorder();
  private final Recorder waits = new Recorder();
  private final Recorder batchRows = new Recorder();

  /** Runs that may go on at a time. */
  private final int mostLeaders;

  /** Threads that run batches. */
  private int leaders;

  private boolean closed;

  /** Rows the leader waits for; 0 while it does not wait. */
  private long awaitedRows;

  /** Rows that run. */
  private long rowsRunning;

  /** Rows that ran and waited when the last batch was taken: as many are likely to come. */
  private long rowsInPlay;

  private long requests;
  private long batches;
  private long rejected;
  private long abandoned;
  private long failed;

  private Batcher(
      Session session,
      BatchOptions options,
      BatchLayout layout,
      Consumer<DeviceException> whenLost) {
    this.session = session;
    this.options = options;
    this.layout = layout;
    this.whenLost = whenLost;
    this.queue = new BatchQueue(options);
    boolean alone = options.maxBatch() == 1 || session.device().kind() != Device.Kind.CPU;
    this.mostLeaders =
        alone ? 1 : Math.min(session.options().threads(), session.options().concurrentRuns());
  }

  /**
   * A batcher over a session.
   *
   * @throws dev.filigree.UnsupportedException if the model has no variable first axis
   */
  public static Batcher over(Session session, BatchOptions options) {
    return over(session, options, lost -> {});
  }

  /**
   * The same.
   *
   * @param whenLost hears of each run that ended because the session's device is gone, before its
   *     requests do
   */
  static Batcher over(Session session, BatchOptions options, Consumer<DeviceException> whenLost) {
    return new Batcher(session, options, BatchLayout.of(session, options), whenLost);
  }

  /**
   * The same queue, deadlines and limits for a model whose requests cannot run together: each runs
   * alone and as it is.
   */
  public static Batcher oneByOne(Session session, BatchOptions options) {
    return oneByOne(session, options, lost -> {});
  }

  static Batcher oneByOne(
      Session session, BatchOptions options, Consumer<DeviceException> whenLost) {
    BatchOptions single = options.withMaxBatch(1);
    return new Batcher(session, single, BatchLayout.oneByOne(session, single), whenLost);
  }

  /**
   * Runs a request and waits for its outputs.
   *
   * @param inputs by name, with one or more rows along the first axis
   * @return the outputs for these rows
   * @throws InputException if an input is missing, unknown or does not fit
   * @throws RejectedException if too many requests wait or the batcher was closed
   */
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    BatchRequest request = request(inputs);
    if (enqueue(request)) {
      lead(request);
    }
    return outcome(request.result());
  }

  /**
   * Hands a request over and returns at once; see {@link #submit(Map, Duration)}.
   *
   * @throws InputException if an input is missing, unknown or does not fit
   * @throws RejectedException if too many requests wait or the batcher was closed
   */
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
   *     fails with a {@link RejectedException}. What has no time left does not run.
   * @return the outputs, or the exceptions {@link #run} throws
   * @throws InputException if an input is missing, unknown or does not fit
   * @throws RejectedException if too many requests wait or the batcher was closed
   */
  public CompletableFuture<Map<String, Tensor>> submit(
      Map<String, Tensor> inputs, Duration deadline) {
    if (!deadline.isPositive()) {
      session.check(inputs);
      countRejected();
      return CompletableFuture.failedFuture(late(deadline));
    }
    CompletableFuture<Map<String, Tensor>> result = submit(inputs);
    // the timer ends with the request: were it left to run out, it would hold on to the outputs
    CompletableFuture<Void> timer = new CompletableFuture<>();
    timer
        .orTimeout(deadline.toNanos(), TimeUnit.NANOSECONDS)
        .exceptionally(
            timeout -> {
              result.completeExceptionally(late(deadline));
              return null;
            });
    result.whenComplete((outputs, failure) -> timer.complete(null));
    return result;
  }

  private void countRejected() {
    lock.lock();
    try {
      rejected++;
    } finally {
      lock.unlock();
    }
  }

  private RejectedException late(Duration deadline) {
    return new RejectedException(
        Kind.LATE,
        "the request to "
            + session.model().name()
            + " was not done within "
            + deadline.toMillis()
            + " ms",
        "allow more time, or send less at once");
  }

  /** Waits for what {@link #submit} promised and throws what it failed with. */
  static Map<String, Tensor> outcome(CompletableFuture<Map<String, Tensor>> result) {
    try {
      return result.join();
    } catch (CompletionException wrapped) {
      switch (wrapped.getCause()) {
        case RuntimeException unchecked -> throw unchecked;
        case Error error -> throw error;
        default -> throw wrapped;
      }
    }
  }

  private BatchRequest request(Map<String, Tensor> inputs) {
    session.check(inputs);
    long bytes = 0;
    for (Tensor tensor : inputs.values()) {
      bytes += tensor.bytes();
    }
    return new BatchRequest(
        inputs,
        layout.signature(inputs),
        layout.rows(inputs),
        bytes,
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
            Kind.CLOSED,
            "the batcher of " + session.model().name() + " was closed",
            "open a new one");
      }
      if (queue.isFullFor(request)) {
        abandoned += queue.removeAbandoned();
      }
      if (queue.isFullFor(request)) {
        rejected++;
        throw full();
      }
      queue.add(request);
      if (awaitedRows > 0 && queue.rows() >= awaitedRows) {
        changed.signalAll();
      }
      // who waits for more takes this one too
      boolean leads = leaders == 0 || leaders < mostLeaders && awaitedRows == 0;
      if (leads) {
        leaders++;
      }
      return leads;
    } finally {
      lock.unlock();
    }
  }

  private RejectedException full() {
    return new RejectedException(
        Kind.FULL,
        queue.size()
            + " requests to "
            + session.model().name()
            + " with "
            + queue.bytes()
            + " bytes wait already",
        "try again later, or allow a longer queue (maxQueue, maxQueueBytes)");
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
      if (own != null && own.result().isDone()) {
        handOver();
        return;
      }
    }
  }

  /** Ends this leadership; another thread takes over if requests wait. */
  private void handOver() {
    lock.lock();
    try {
      if (queue.size() == 0) {
        retire();
      } else {
        Thread.ofVirtual().start(() -> lead(null));
      }
    } finally {
      lock.unlock();
    }
  }

  private void retire() {
    leaders--;
    changed.signalAll();
  }

  /** The oldest request and those that fit it, or none, which ends the leadership. */
  private List<BatchRequest> next() {
    lock.lock();
    try {
      while (true) {
        abandoned += queue.removeAbandoned();
        BatchRequest oldest = queue.oldest();
        if (oldest == null) {
          retire();
          return List.of();
        }
        long wanted = Math.min(options.maxBatch(), Math.ceilDiv(rowsInPlay, mostLeaders));
        long left = options.maxDelay().toNanos() - (System.nanoTime() - oldest.arrived());
        if (left <= 0 || closed || queue.rows() >= wanted) {
          return take();
        }
        if (awaitedRows > 0) {
          // another one waits for what comes and will take what is there
          retire();
          return List.of();
        }
        await(wanted, left);
      }
    } finally {
      lock.unlock();
    }
  }

  private void await(long rows, long nanos) {
    awaitedRows = rows;
    try {
      changed.awaitNanos(nanos);
    } catch (InterruptedException interrupt) {
      // the interrupt is the caller's to see once its request is done; the batch is taken as it is
      Thread.currentThread().interrupt();
      rowsInPlay = 0;
    } finally {
      awaitedRows = 0;
    }
  }

  private List<BatchRequest> take() {
    long waiting = queue.rows();
    rowsInPlay = rowsRunning + waiting;
    List<BatchRequest> batch = queue.take(Math.ceilDiv(rowsInPlay, mostLeaders));
    requests += batch.size();
    batches++;
    long rows = waiting - queue.rows();
    rowsRunning += rows;
    batchRows.record(rows);
    if (queue.size() > 0 && leaders < mostLeaders) {
      leaders++;
      Thread.ofVirtual().start(() -> lead(null));
    }
    return batch;
  }

  /** Before callers hear of it: they may be back at once, and their rows do not run any more. */
  private void end(List<BatchRequest> batch) {
    lock.lock();
    try {
      rowsRunning -= rows(batch);
    } finally {
      lock.unlock();
    }
  }

  private static long rows(List<BatchRequest> batch) {
    long rows = 0;
    for (BatchRequest request : batch) {
      rows += request.rows();
    }
    return rows;
  }

  private void execute(List<BatchRequest> batch) {
    long start = System.nanoTime();
    for (BatchRequest request : batch) {
      waits.record(start - request.arrived());
    }
    BatchEvent event = Flight.begin(BatchEvent::new);
    run(batch);
    if (event != null) {
      event.end();
      event.model = session.model().name();
      event.requests = batch.size();
      event.rows = rows(batch);
      event.waitNanos = start - batch.getFirst().arrived();
      event.commit();
    }
  }

  private void run(List<BatchRequest> batch) {
    try {
      List<Map<String, Tensor>> outputs = layout.run(session, batch);
      end(batch);
      for (int i = 0; i < batch.size(); i++) {
        record(batch.get(i));
        batch.get(i).result().complete(outputs.get(i));
      }
    } catch (InputException bad) {
      if (batch.size() == 1) {
        fail(batch, bad);
      } else {
        batch.forEach(request -> run(List.of(request)));
      }
    } catch (DeviceException failed) {
      try {
        if (failed.kind() == DeviceException.Kind.LOST) {
          whenLost.accept(failed);
        }
      } finally {
        fail(batch, failed);
      }
    } catch (InternalError fault) {
      fail(batch, unreadable(fault));
    } catch (Throwable cause) {
      fail(batch, cause);
    }
  }

  /** The JVM's answer to a page of a mapped file that is not there any more. */
  private Throwable unreadable(InternalError fault) {
    if (fault.getMessage() == null || !fault.getMessage().contains("unsafe memory access")) {
      return fault;
    }
    return new FormatException(
        session.model().path() + " cannot be read any more: it was cut short, or its disk failed",
        "put the file back and load the model again; replace files by renaming, not in place",
        fault);
  }

  private void fail(List<BatchRequest> batch, Throwable cause) {
    lock.lock();
    try {
      rowsRunning -= rows(batch);
      failed += batch.size();
    } finally {
      lock.unlock();
    }
    for (BatchRequest request : batch) {
      record(request);
      request.result().completeExceptionally(cause);
    }
  }

  private void record(BatchRequest request) {
    latencies.record(System.nanoTime() - request.arrived());
  }

  /** Whether requests run together. */
  boolean isBatching() {
    return options.maxBatch() > 1;
  }

  /** What it has done so far. */
  public BatchStatistics statistics() {
    lock.lock();
    try {
      return new BatchStatistics(
          requests,
          batches,
          rejected,
          abandoned,
          failed,
          queue.size(),
          latencies.distribution(),
          waits.distribution(),
          batchRows.distribution());
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
      while (leaders > 0) {
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
