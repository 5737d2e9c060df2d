package dev.filigree.serving;

import dev.filigree.Device;
import dev.filigree.Model;
import dev.filigree.Tensor;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * The version of a model that served a name when this was taken. It stays open until the lease is
 * closed, whatever takes over meanwhile, so that several requests of a caller meet one version.
 * Thread-safe.
 */
public final class ModelLease implements AutoCloseable {
  private final HostedModel hosted;
  private boolean closed;

  ModelLease(HostedModel hosted) {
    this.hosted = hosted;
  }

  /** The model; not to be used any more when the lease is closed. */
  public Model model() {
    return hosted.model;
  }

  /** 1 for the first, one more with each replacement. */
  public int version() {
    return hosted.version;
  }

  /** The device it runs on. */
  public Device device() {
    return hosted.session.device();
  }

  /**
   * What was made for this version when it was loaded.
   *
   * @return null if nothing of that type was made
   */
  public <T> T companion(Class<T> type) {
    return type.isInstance(hosted.companion) ? type.cast(hosted.companion) : null;
  }

  /** Runs a request and waits for its outputs; see {@link Batcher#run}. */
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    return hosted.batcher.run(inputs);
  }

  /**
   * Runs a request and waits for its outputs for some time; see {@link Batcher#submit(Map,
   * Duration)}.
   */
  public Map<String, Tensor> run(Map<String, Tensor> inputs, Duration deadline) {
    return Batcher.outcome(submit(inputs, deadline));
  }

  /**
   * Hands a request over; see {@link Batcher#submit(Map, Duration)}. It is finished also when the
   * lease is closed before.
   */
  public CompletableFuture<Map<String, Tensor>> submit(
      Map<String, Tensor> inputs, Duration deadline) {
    hosted.lease();
    try {
      CompletableFuture<Map<String, Tensor>> result = hosted.batcher.submit(inputs, deadline);
      result.whenComplete((outputs, failed) -> hosted.release());
      return result;
    } catch (RuntimeException | Error failed) {
      hosted.release();
      throw failed;
    }
  }

  /** Ends the lease. May be called again. */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
    }
    hosted.release();
  }
}
