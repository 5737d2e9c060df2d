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
  private final Recorder latencies = new Recorder();
  private final Recorder waits = new Recorder();
  private final BatchSchedule schedule;

  private Batcher(
      Session session,
      BatchOptions options,
      BatchLayout layout,
      Consumer<DeviceException> whenLost) {
    this.session = session;
    this.options = options;
    this.layout = layout;
    this.whenLost = whenLost;
    boolean alone = options.maxBatch() == 1 || session.device().kind() != Device.Kind.CPU;
    int together = Math.min(session.options().threads(), session.options().concurrentRuns());
    this.schedule =
        new BatchSchedule(
            session.model().name(),
            options,
            alone ? 1 : together,
            () -> Thread.ofVirtual().start(() -> lead(null)));
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
    if (schedule.add(request)) {
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
    if (schedule.add(request)) {
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
      schedule.countRejected();
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

  /**
   * Runs batches until the queue is empty, or until a request of the leader's own is done: its
   * caller shall not work for others for ever.
   */
  private void lead(BatchRequest own) {
    while (true) {
      List<BatchRequest> batch = schedule.next();
      if (batch.isEmpty()) {
        return;
      }
      execute(batch);
      if (own != null && own.result().isDone()) {
        schedule.handOver();
        return;
      }
    }
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
      event.rows = BatchSchedule.rows(batch);
      event.waitNanos = start - batch.getFirst().arrived();
      event.commit();
    }
  }

  private void run(List<BatchRequest> batch) {
    try {
      List<Map<String, Tensor>> outputs = layout.run(session, batch);
      schedule.end(batch);
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
      announce(failed);
      fail(batch, failed);
    } catch (InternalError fault) {
      fail(batch, unreadable(fault));
    } catch (Throwable cause) {
      fail(batch, cause);
    }
  }

  private void announce(DeviceException failed) {
    if (failed.kind() != DeviceException.Kind.LOST) {
      return;
    }
    try {
      whenLost.accept(failed);
    } catch (RuntimeException unheard) {
      // thrown on, it would end the leader, and whoever waits for the rest would wait for ever
      failed.addSuppressed(unheard);
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
    schedule.fail(batch);
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
    return schedule.statistics(latencies.distribution(), waits.distribution());
  }

  /**
   * Refuses new requests, runs those that wait, and returns when all are done. May be called again.
   */
  @Override
  public void close() {
    schedule.close();
  }
}
