package dev.filigree.serving;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.RejectedException;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Models by name, each with its session and batcher, in bounded memory. A model can be replaced
 * while it serves: the new version is opened and warmed up first, then takes over, and the old one
 * is closed when its last request is done. Thread-safe.
 */
public final class ModelHost implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  private final SessionOptions session;
  private final BatchOptions batching;
  private final long maxBytes;
  private final Map<String, Hosted> models = new TreeMap<>();
  private boolean closed;

  /**
   * A host without models.
   *
   * @param session options of every model's session
   * @param batching options of every model's batcher
   * @param maxBytes bytes that the weights of all models may take, as they are and laid out
   */
  public ModelHost(SessionOptions session, BatchOptions batching, long maxBytes) {
    this.session = session;
    this.batching = batching;
    this.maxBytes = maxBytes;
  }

  /**
   * A model that is served.
   *
   * @param name it is asked for by
   * @param path of its file
   * @param version 1 for the first, one more with each replacement
   * @param bytes its weights take
   * @param statistics of its batcher
   */
  public record Served(
      String name, Path path, int version, long bytes, BatchStatistics statistics) {}

  /**
   * Opens a model under a name, or replaces the one that is served under it.
   *
   * @param warmUp inputs to warm up with, from the model; an empty map for none
   * @throws RejectedException if the memory does not suffice or the host was closed; what is served
   *     stays as it is
   * @throws dev.filigree.FiligreeException if the model cannot be opened; likewise
   */
  public void load(String name, Path path, Function<Model, Map<String, Tensor>> warmUp) {
    Model model = Model.open(path);
    Hosted hosted = null;
    try {
      reserve(name, model.weightBytes());
      hosted = new Hosted(model, model.session(session), batching);
      Map<String, Tensor> inputs = warmUp.apply(model);
      if (!inputs.isEmpty()) {
        hosted.session.warmUp(inputs, Progress.NONE);
      }
      reserve(name, hosted.bytes());
    } catch (RuntimeException | Error failed) {
      if (hosted == null) {
        model.close();
      } else {
        hosted.retire();
      }
      throw failed;
    }
    Hosted old = swap(name, hosted);
    LOG.log(System.Logger.Level.INFO, "serving {0} version {1}: {2}", name, hosted.version, path);
    if (old != null) {
      old.retire();
    }
  }

  private synchronized void reserve(String name, long bytes) {
    checkOpen();
    long taken = models.values().stream().mapToLong(Hosted::bytes).sum();
    if (bytes > maxBytes - taken) {
      throw new RejectedException(
          "model '"
              + name
              + "' takes "
              + bytes
              + " bytes, but of "
              + maxBytes
              + " only "
              + Math.max(0, maxBytes - taken)
              + " are free",
          "unload another model, compress it, or allow more memory");
    }
  }

  private synchronized Hosted swap(String name, Hosted hosted) {
    if (closed) {
      hosted.retire();
    }
    checkOpen();
    Hosted old = models.put(name, hosted);
    hosted.version = old == null ? 1 : old.version + 1;
    return old;
  }

  private void checkOpen() {
    if (closed) {
      throw new RejectedException("the host of models was closed", "open a new one");
    }
  }

  /**
   * Stops serving a model; its requests in flight are finished.
   *
   * @throws InputException if none of that name is served
   */
  public void unload(String name) {
    Hosted hosted;
    synchronized (this) {
      hosted = models.remove(name);
      if (hosted == null) {
        throw unknown(name);
      }
    }
    hosted.retire();
  }

  /** The models that are served, by name. */
  public synchronized List<Served> models() {
    List<Served> served = new ArrayList<>();
    models.forEach(
        (name, hosted) ->
            served.add(
                new Served(
                    name,
                    hosted.model.path(),
                    hosted.version,
                    hosted.bytes(),
                    hosted.batcher.statistics())));
    return served;
  }

  /**
   * Runs a request on a model and waits for its outputs; see {@link Batcher#run}.
   *
   * @throws InputException if no model of that name is served
   */
  public Map<String, Tensor> run(String name, Map<String, Tensor> inputs) {
    Hosted hosted = lease(name);
    try {
      return hosted.batcher.run(inputs);
    } finally {
      hosted.release();
    }
  }

  /**
   * Hands a request to a model over; see {@link Batcher#submit(Map, Duration)}.
   *
   * @throws InputException if no model of that name is served
   */
  public CompletableFuture<Map<String, Tensor>> submit(
      String name, Map<String, Tensor> inputs, Duration deadline) {
    Hosted hosted = lease(name);
    try {
      CompletableFuture<Map<String, Tensor>> result = hosted.batcher.submit(inputs, deadline);
      result.whenComplete((outputs, failed) -> hosted.release());
      return result;
    } catch (RuntimeException | Error failed) {
      hosted.release();
      throw failed;
    }
  }

  /**
   * Does something with the model that serves a name, which stays open meanwhile.
   *
   * @throws InputException if no model of that name is served
   */
  public <T> T with(String name, Function<Model, T> use) {
    Hosted hosted = lease(name);
    try {
      return use.apply(hosted.model);
    } finally {
      hosted.release();
    }
  }

  private synchronized Hosted lease(String name) {
    checkOpen();
    Hosted hosted = models.get(name);
    if (hosted == null) {
      throw unknown(name);
    }
    hosted.lease();
    return hosted;
  }

  private InputException unknown(String name) {
    return new InputException("no model '" + name + "' is served", "use one of " + models.keySet());
  }

  /** Refuses new requests, finishes those in flight, and closes every model. */
  @Override
  public void close() {
    List<Hosted> all;
    synchronized (this) {
      closed = true;
      all = List.copyOf(models.values());
      models.clear();
    }
    all.forEach(Hosted::retire);
    all.forEach(Hosted::awaitClosed);
  }

  /** One version of a model. It closes itself when it is retired and its last lease ends. */
  private static final class Hosted {
    final Model model;
    final Session session;
    final Batcher batcher;
    int version = 1;
    private int leases = 1;
    private boolean retired;
    private boolean isClosed;

    Hosted(Model model, Session session, BatchOptions batching) {
      this.model = model;
      this.session = session;
      this.batcher = batcher(session, batching);
    }

    private static Batcher batcher(Session session, BatchOptions batching) {
      try {
        return Batcher.over(session, batching);
      } catch (RuntimeException | Error failed) {
        session.close();
        throw failed;
      }
    }

    long bytes() {
      return model.weightBytes() + session.packedBytes();
    }

    synchronized void lease() {
      leases++;
    }

    synchronized void retire() {
      if (!retired) {
        retired = true;
        release();
      }
    }

    synchronized void release() {
      if (--leases == 0) {
        // a leader of the batcher may be the one that releases, so another thread waits for it
        Thread.ofVirtual().start(this::closeAll);
      }
    }

    private void closeAll() {
      batcher.close();
      session.close();
      model.close();
      synchronized (this) {
        isClosed = true;
        notifyAll();
      }
    }

    synchronized void awaitClosed() {
      boolean interrupted = false;
      while (!isClosed) {
        try {
          wait();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
