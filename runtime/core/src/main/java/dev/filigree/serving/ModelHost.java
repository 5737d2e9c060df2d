package dev.filigree.serving;

import dev.filigree.InputException;
import dev.filigree.Model;
import dev.filigree.Progress;
import dev.filigree.RejectedException;
import dev.filigree.RejectedException.Kind;
import dev.filigree.Session;
import dev.filigree.SessionOptions;
import dev.filigree.Tensor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongSupplier;

/**
 * Models by name, each with its session and batcher, in bounded memory. A model can be replaced
 * while it serves: the new version is opened and warmed up first, then takes over, and the old one
 * is closed when its last request is done. Models that cannot run requests together run them one at
 * a time. Thread-safe.
 *
 * <p>What is bounded are weights, as they lie in the file and laid out for kernels, those of
 * versions that still finish requests among them. Activations have their own bound in each session
 * ({@link SessionOptions#activationBytes}), inputs that wait one in each batcher ({@link
 * BatchOptions#maxQueueBytes}).
 */
public final class ModelHost implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  private final SessionOptions session;
  private final BatchOptions batching;
  private final long maxBytes;
  private final Map<String, HostedModel> models = new TreeMap<>();

  /** Bytes of every model that is open, served or not. */
  private final Map<Model, LongSupplier> held = new IdentityHashMap<>();

  private final Set<HostedModel> open = new HashSet<>();
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

  /** What is done with a model before it serves. */
  @FunctionalInterface
  public interface Preparation {
    /** Inputs to warm up with, one after the other; may be none. */
    List<Map<String, Tensor>> warmUp(Model model);

    /**
     * Something that belongs to this version and is closed with it, for example its tokenizer; null
     * for nothing.
     */
    default AutoCloseable companion(Model model) {
      return null;
    }
  }

  /**
   * A model that is served.
   *
   * @param name it is asked for by
   * @param path of its file
   * @param version 1 for the first, one more with each replacement
   * @param device it runs on
   * @param kernels it runs with
   * @param batched whether requests run together
   * @param bytes its weights take
   * @param activationBytes kept ready between runs
   * @param statistics of its batcher
   */
  public record Served(
      String name,
      Path path,
      int version,
      String device,
      String kernels,
      boolean batched,
      long bytes,
      long activationBytes,
      BatchStatistics statistics) {}

  /**
   * Opens a model under a name, or replaces the one that is served under it.
   *
   * @return its version
   * @throws RejectedException if the memory does not suffice or the host was closed; what is served
   *     stays as it is
   * @throws dev.filigree.FiligreeException if the model cannot be opened; likewise
   */
  public int load(String name, Path path, Preparation preparation) {
    checkOpen();
    Model model = Model.open(path);
    HostedModel hosted = null;
    try {
      reserve(name, model, model::weightBytes);
      hosted = open(name, model);
      hosted.companion = preparation.companion(model);
      for (Map<String, Tensor> inputs : preparation.warmUp(model)) {
        hosted.session.warmUp(inputs, Progress.NONE);
      }
      reserve(name, model, hosted::bytes);
    } catch (RuntimeException | Error failed) {
      if (hosted == null) {
        free(model);
        model.close();
      } else {
        hosted.retire();
      }
      throw failed;
    }
    HostedModel old = swap(name, hosted);
    LOG.log(System.Logger.Level.INFO, "serving {0} version {1}: {2}", name, hosted.version, path);
    if (old != null) {
      old.retire();
    }
    return hosted.version;
  }

  private HostedModel open(String name, Model model) {
    Session opened = model.session(session);
    try {
      HostedModel hosted = new HostedModel(name, model, opened, batching, this::closed);
      synchronized (this) {
        open.add(hosted);
      }
      return hosted;
    } catch (RuntimeException | Error failed) {
      opened.close();
      throw failed;
    }
  }

  /** Notes what a model takes, beside all others. */
  private synchronized void reserve(String name, Model model, LongSupplier bytes) {
    held.remove(model);
    long taken = held.values().stream().mapToLong(LongSupplier::getAsLong).sum();
    long wanted = bytes.getAsLong();
    // noted even if it is too much: it is there until it is closed
    held.put(model, bytes);
    if (wanted > maxBytes - taken) {
      throw new RejectedException(
          Kind.MEMORY,
          "model '"
              + name
              + "' takes "
              + wanted
              + " bytes, but of "
              + maxBytes
              + " only "
              + Math.max(0, maxBytes - taken)
              + " are free",
          "unload another model, wait until replaced versions have finished their requests,"
              + " compress it, or allow more memory");
    }
  }

  private synchronized void free(Model model) {
    held.remove(model);
  }

  private synchronized void closed(HostedModel hosted) {
    held.remove(hosted.model);
    open.remove(hosted);
    notifyAll();
  }

  private synchronized HostedModel swap(String name, HostedModel hosted) {
    if (closed) {
      hosted.retire();
    }
    checkOpen();
    HostedModel old = models.put(name, hosted);
    hosted.version = old == null ? 1 : old.version + 1;
    return old;
  }

  private synchronized void checkOpen() {
    if (closed) {
      throw new RejectedException(
          Kind.CLOSED, "the host of models was closed", "send the request to another one");
    }
  }

  /**
   * Stops serving a model; its requests in flight are finished.
   *
   * @throws InputException if none of that name is served
   */
  public void unload(String name) {
    HostedModel hosted;
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
                    hosted.session.device().toString(),
                    hosted.session.kernels(),
                    hosted.batched,
                    hosted.bytes(),
                    hosted.session.idleBytes(),
                    hosted.batcher.statistics())));
    return served;
  }

  /** Whether a model of a name is served. */
  public synchronized boolean has(String name) {
    return models.containsKey(name);
  }

  /**
   * The version that serves a name now, to be closed by the caller.
   *
   * @throws InputException if no model of that name is served
   * @throws RejectedException if the host was closed
   */
  public synchronized ModelLease lease(String name) {
    checkOpen();
    HostedModel hosted = models.get(name);
    if (hosted == null) {
      throw unknown(name);
    }
    hosted.lease();
    return new ModelLease(hosted);
  }

  /**
   * Runs a request on a model and waits for its outputs; see {@link Batcher#run}.
   *
   * @throws InputException if no model of that name is served
   */
  public Map<String, Tensor> run(String name, Map<String, Tensor> inputs) {
    try (ModelLease lease = lease(name)) {
      return lease.run(inputs);
    }
  }

  /**
   * Hands a request to a model over; see {@link Batcher#submit(Map, Duration)}.
   *
   * @throws InputException if no model of that name is served
   */
  public CompletableFuture<Map<String, Tensor>> submit(
      String name, Map<String, Tensor> inputs, Duration deadline) {
    try (ModelLease lease = lease(name)) {
      return lease.submit(inputs, deadline);
    }
  }

  private InputException unknown(String name) {
    return new InputException("no model '" + name + "' is served", "use one of " + models.keySet());
  }

  /** Refuses new requests, finishes those in flight, and closes every model. */
  @Override
  public void close() {
    List<HostedModel> all;
    synchronized (this) {
      closed = true;
      all = List.copyOf(models.values());
      models.clear();
    }
    all.forEach(HostedModel::retire);
    awaitClosed();
  }

  private synchronized void awaitClosed() {
    boolean interrupted = false;
    while (!open.isEmpty()) {
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
