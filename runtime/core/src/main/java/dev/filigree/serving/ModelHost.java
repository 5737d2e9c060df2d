package dev.filigree.serving;

import dev.filigree.Device;
import dev.filigree.DeviceException;
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
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/**
 * Models by name, each with its session and batcher, in bounded memory. A model can be replaced
 * while it serves: the new version is opened and warmed up first, then takes over, and the old one
 * is closed when its last request is done. Models that cannot run requests together run them one at
 * a time. Thread-safe.
 *
 * <p>A model whose device fails is loaded again by itself, as {@link LossPolicy} has it: requests
 * in flight fail with the {@link DeviceException}, later ones are refused with {@link
 * RejectedException.Kind#LOST} until it is back.
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
  private final WeightBudget budget;
  private final LossPolicy policy;
  private final Map<String, HostedModel> models = new TreeMap<>();

  /** Models whose device failed and that are being loaded again; none of them is in the other. */
  private final Map<String, Recovery> lost = new TreeMap<>();

  private final Map<String, Integer> losses = new HashMap<>();

  /** Threads that bring models back. */
  private int recovering;

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
    this(session, batching, maxBytes, LossPolicy.CPU);
  }

  /**
   * A host without models.
   *
   * @param session options of every model's session
   * @param batching options of every model's batcher
   * @param maxBytes bytes that the weights of all models may take, as they are and laid out
   * @param policy for models whose device failed
   */
  public ModelHost(
      SessionOptions session, BatchOptions batching, long maxBytes, LossPolicy policy) {
    this.session = session;
    this.batching = batching;
    this.budget = new WeightBudget(maxBytes);
    this.policy = policy;
  }

  /** What is done with a model before it serves; again when it is loaded anew after a loss. */
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
   * @param ready false while it is being loaded again because its device failed
   * @param note why it is not ready, or not on the device that was asked for; else empty
   * @param losses how often its device failed since the host was made
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
      boolean ready,
      String note,
      int losses,
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
    HostedModel hosted = prepared(name, path, preparation, session);
    replace(hosted, swap(hosted));
    return hosted.version;
  }

  /** Opens a version and warms it up; it serves nothing yet. */
  private HostedModel prepared(
      String name, Path path, Preparation preparation, SessionOptions options) {
    checkOpen();
    Model model = Model.open(path);
    HostedModel hosted = null;
    try {
      budget.reserve(name, model, model::weightBytes);
      hosted = open(name, path, preparation, model, options);
      hosted.companion = preparation.companion(model);
      for (Map<String, Tensor> inputs : preparation.warmUp(model)) {
        hosted.session.warmUp(inputs, Progress.NONE);
      }
      budget.reserve(name, model, hosted::bytes);
      return hosted;
    } catch (RuntimeException | Error failed) {
      if (hosted == null) {
        budget.free(model);
        model.close();
      } else {
        hosted.retire();
      }
      throw failed;
    }
  }

  private static void replace(HostedModel hosted, HostedModel old) {
    LOG.log(
        System.Logger.Level.INFO,
        "serving {0} version {1}: {2}",
        hosted.name,
        hosted.version,
        hosted.path);
    if (old != null) {
      old.retire();
    }
  }

  private HostedModel open(
      String name, Path path, Preparation preparation, Model model, SessionOptions options) {
    Session opened = model.session(options);
    try {
      HostedModel hosted =
          new HostedModel(
              name, path, preparation, model, opened, batching, this::closed, this::lost);
      synchronized (this) {
        open.add(hosted);
      }
      return hosted;
    } catch (RuntimeException | Error failed) {
      opened.close();
      throw failed;
    }
  }

  private synchronized void closed(HostedModel hosted) {
    budget.free(hosted.model);
    open.remove(hosted);
    notifyAll();
  }

  /** Lets a version serve; the one that did is the caller's to retire. */
  private synchronized HostedModel swap(HostedModel hosted) {
    if (closed) {
      hosted.retire();
    }
    checkOpen();
    Recovery overtaken = lost.remove(hosted.name);
    HostedModel old = models.put(hosted.name, hosted);
    HostedModel before = overtaken == null ? old : overtaken.lost();
    hosted.version = before == null ? 1 : before.version + 1;
    notifyAll();
    return old;
  }

  /** The device of a version failed: it serves no more, and is brought back. */
  private void lost(HostedModel hosted, DeviceException cause) {
    Recovery recovery = new Recovery(this, policy, hosted, cause);
    synchronized (this) {
      // a version that was replaced has nothing to come back for
      if (closed || models.get(hosted.name) != hosted) {
        return;
      }
      models.remove(hosted.name);
      lost.put(hosted.name, recovery);
      losses.merge(hosted.name, 1, Integer::sum);
      recovering++;
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "the device of {0} version {1} failed, the model is loaded again: {2}",
        hosted.name,
        hosted.version,
        cause.problem());
    hosted.retire();
    Thread.ofVirtual()
        .name("filigree-recovery")
        .start(
            () -> {
              try {
                recovery.run();
              } finally {
                recovered();
              }
            });
  }

  private synchronized void recovered() {
    recovering--;
    notifyAll();
  }

  /** Whether a model is still lost and not loaded or unloaded by somebody else. */
  synchronized boolean isWanted(Recovery recovery) {
    return !closed && lost.get(recovery.lost().name) == recovery;
  }

  /** Waits; false if meanwhile nobody wants the model back. */
  synchronized boolean pause(Recovery recovery, long millis) {
    long end = System.nanoTime() + millis * 1_000_000;
    long left = millis;
    while (left > 0 && isWanted(recovery)) {
      try {
        wait(left);
      } catch (InterruptedException interrupt) {
        // nobody interrupts this thread; if somebody does, it need not wait
        break;
      }
      left = (end - System.nanoTime()) / 1_000_000;
    }
    return isWanted(recovery);
  }

  /** Waits until a version is closed, for some time. */
  synchronized void awaitClosed(HostedModel hosted, long millis) {
    long end = System.nanoTime() + millis * 1_000_000;
    long left = millis;
    while (left > 0 && open.contains(hosted)) {
      try {
        wait(left);
      } catch (InterruptedException interrupt) {
        return;
      }
      left = (end - System.nanoTime()) / 1_000_000;
    }
  }

  /**
   * Loads a lost model on a device and lets it serve, unless nobody wants it any more.
   *
   * @param losses in a row
   */
  void recover(Recovery recovery, Device device, int losses) {
    HostedModel old = recovery.lost();
    boolean same = device.equals(old.session.device());
    SessionOptions options = session.withDevice(device);
    // kernels are named after their device: another has none of those names
    HostedModel hosted =
        prepared(old.name, old.path, old.preparation, same ? options : options.withKernels(""));
    hosted.losses = losses;
    if (!same) {
      hosted.note =
          "on the cpu until it is loaded again, because "
              + old.session.device()
              + " failed: "
              + recovery.reason();
    }
    synchronized (this) {
      if (!isWanted(recovery)) {
        hosted.retire();
        return;
      }
      swap(hosted);
    }
    replace(hosted, null);
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
      if (hosted == null && lost.remove(name) == null) {
        throw unknown(name);
      }
      notifyAll();
    }
    if (hosted != null) {
      hosted.retire();
    }
  }

  /** The models that are served, by name, those that are being loaded again among them. */
  public synchronized List<Served> models() {
    Map<String, Served> served = new TreeMap<>();
    models.forEach(
        (name, hosted) ->
            served.put(
                name,
                served(hosted, hosted.bytes(), hosted.session.idleBytes(), true, hosted.note)));
    lost.forEach(
        (name, recovery) ->
            served.put(name, served(recovery.lost(), 0, 0, false, recovery.reason())));
    return List.copyOf(served.values());
  }

  private Served served(
      HostedModel hosted, long bytes, long activationBytes, boolean ready, String note) {
    return new Served(
        hosted.name,
        hosted.path,
        hosted.version,
        hosted.session.device().toString(),
        hosted.session.kernels(),
        hosted.batched,
        bytes,
        activationBytes,
        ready,
        note,
        losses.getOrDefault(hosted.name, 0),
        hosted.batcher.statistics());
  }

  /** Whether a model of a name is served, or is being loaded again. */
  public synchronized boolean has(String name) {
    return models.containsKey(name) || lost.containsKey(name);
  }

  /**
   * The version that serves a name now, to be closed by the caller.
   *
   * @throws InputException if no model of that name is served
   * @throws RejectedException if its device failed and it is being loaded again, or the host was
   *     closed
   */
  public synchronized ModelLease lease(String name) {
    checkOpen();
    HostedModel hosted = models.get(name);
    if (hosted == null) {
      throw lost.containsKey(name) ? lost(lost.get(name)) : unknown(name);
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

  private static RejectedException lost(Recovery recovery) {
    return new RejectedException(
        Kind.LOST,
        "model '"
            + recovery.lost().name
            + "' is being loaded again because its device failed: "
            + recovery.reason(),
        "try again in a moment");
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
      lost.clear();
      notifyAll();
    }
    all.forEach(HostedModel::retire);
    awaitClosed();
  }

  private synchronized void awaitClosed() {
    boolean interrupted = false;
    while (!open.isEmpty() || recovering > 0) {
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
