package dev.filigree;

import dev.filigree.graph.Dim;
import dev.filigree.graph.ValueInfo;
import dev.filigree.plan.GraphRunner;
import dev.filigree.plan.LayerPlan;
import dev.filigree.spi.KernelSets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;

/**
 * A model ready to run on a device. Thread-safe: any number of threads may call {@link #run}; as
 * many as the options allow run at the same time and the others wait. The first run with new input
 * shapes plans them, later ones only compute.
 */
public final class Session implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  private final Model model;
  private final SessionOptions options;
  private final GraphRunner runner;
  private final Semaphore permits;
  private final Object state = new Object();
  private int running;
  private boolean closed;

  Session(Model model, SessionOptions options) {
    this.model = model;
    this.options = options;
    if (options.device().kind() != Device.Kind.AUTO && options.device().kind() != Device.Kind.CPU) {
      throw new DeviceException(
          "device " + options.device() + " is not available: this build runs on the CPU only",
          "use the device cpu or auto");
    }
    this.runner =
        new GraphRunner(
            model.graph(), options, KernelSets.open(options.kernels()), "filigree-" + model.name());
    this.permits = new Semaphore(options.concurrentRuns());
    LOG.log(
        System.Logger.Level.INFO,
        "session of {0}: cpu, {1} kernels, {2} threads",
        model.name(),
        runner.kernels(),
        options.threads());
  }

  /** The model it runs. */
  public Model model() {
    return model;
  }

  /** The options it was opened with. */
  public SessionOptions options() {
    return options;
  }

  /** The device it runs on. */
  public Device device() {
    return Device.cpu();
  }

  /** Name of the kernels it runs with. */
  public String kernels() {
    return runner.kernels();
  }

  /** Bytes of weights laid out for the kernels, beside the model's own. */
  public long packedBytes() {
    return runner.packedBytes();
  }

  /**
   * Runs the model.
   *
   * @param inputs by name
   * @return the outputs by name, in tensors of their own on the heap
   * @throws InputException if an input is missing, unknown, or of the wrong type or shape
   * @throws IllegalStateException if the session was closed
   */
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    check(inputs);
    begin();
    try {
      return runner.run(inputs);
    } finally {
      end();
    }
  }

  /**
   * Runs the model into tensors of the caller; allocates nothing once the shapes have been planned.
   *
   * @param inputs by name
   * @param outputs by name; those left out are not delivered
   * @throws InputException if an input or output does not fit
   * @throws IllegalStateException if the session was closed
   */
  public void run(Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
    check(inputs);
    begin();
    try {
      runner.run(inputs, outputs);
    } finally {
      end();
    }
  }

  /**
   * Makes later runs with inputs of these shapes fast from the first on: plans them, lets the JIT
   * compiler settle, and measures which kernel is the fastest for each layer.
   *
   * @param inputs typical ones
   * @param progress hears how far it is
   */
  public void warmUp(Map<String, Tensor> inputs, Progress progress) {
    check(inputs);
    begin();
    try {
      runner.warmUp(inputs, progress);
    } finally {
      end();
    }
  }

  /**
   * What a run with inputs of some shapes does, layer by layer, and why.
   *
   * @param shapes of all inputs by name
   */
  public List<LayerPlan> plan(Map<String, Shape> shapes) {
    begin();
    try {
      return runner.layers(shapes);
    } finally {
      end();
    }
  }

  private void begin() {
    permits.acquireUninterruptibly();
    synchronized (state) {
      if (closed) {
        permits.release();
        throw new IllegalStateException("session '" + model.name() + "' was closed");
      }
      running++;
    }
  }

  private void end() {
    synchronized (state) {
      running--;
      state.notifyAll();
    }
    permits.release();
  }

  private void check(Map<String, Tensor> inputs) {
    List<ValueInfo> declared = model.inputs();
    for (int i = 0; i < declared.size(); i++) {
      ValueInfo input = declared.get(i);
      Tensor tensor = inputs.get(input.name());
      if (tensor == null) {
        throw new InputException(
            "input '" + input.name() + "' is missing",
            "pass " + declared + "; got " + inputs.keySet());
      }
      if (tensor.dtype() != input.dtype() || !fits(input, tensor)) {
        throw new InputException(
            "input '" + input.name() + "' is " + tensor, "the model takes " + input);
      }
    }
    if (inputs.size() > declared.size()) {
      throw new InputException(
          "the model has no inputs " + unknown(inputs), "it takes " + declared);
    }
    if (!symbolsAgree(declared, inputs)) {
      throw new InputException(
          "inputs " + inputs + " disagree about an extent of the same name",
          "the model takes " + declared);
    }
  }

  private static boolean fits(ValueInfo input, Tensor tensor) {
    if (input.dims() == null) {
      return true;
    }
    if (tensor.shape().rank() != input.dims().size()) {
      return false;
    }
    for (int axis = 0; axis < input.dims().size(); axis++) {
      Dim dim = input.dims().get(axis);
      if (dim.isKnown() && dim.value() != tensor.shape().extent(axis)) {
        return false;
      }
    }
    return true;
  }

  /** Whether axes declared with the same symbol have the same extent; allocates nothing. */
  private static boolean symbolsAgree(List<ValueInfo> declared, Map<String, Tensor> inputs) {
    for (int i = 1; i < declared.size(); i++) {
      for (int j = 0; j < i; j++) {
        if (!symbolsAgree(declared.get(i), declared.get(j), inputs)) {
          return false;
        }
      }
    }
    return true;
  }

  private static boolean symbolsAgree(ValueInfo a, ValueInfo b, Map<String, Tensor> inputs) {
    if (a.dims() == null || b.dims() == null) {
      return true;
    }
    for (int i = 0; i < a.dims().size(); i++) {
      for (int j = 0; j < b.dims().size(); j++) {
        Dim dim = a.dims().get(i);
        if (!dim.isKnown()
            && dim.equals(b.dims().get(j))
            && inputs.get(a.name()).shape().extent(i) != inputs.get(b.name()).shape().extent(j)) {
          return false;
        }
      }
    }
    return true;
  }

  private List<String> unknown(Map<String, Tensor> inputs) {
    Map<String, Tensor> rest = new HashMap<>(inputs);
    model.inputs().forEach(input -> rest.remove(input.name()));
    return List.copyOf(rest.keySet());
  }

  /**
   * Waits for the runs that go on and frees everything; later runs are refused. May be called
   * again.
   */
  @Override
  public void close() {
    boolean interrupted = false;
    synchronized (state) {
      if (closed) {
        return;
      }
      closed = true;
      while (running > 0) {
        try {
          state.wait();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
    }
    runner.close();
    model.release();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
