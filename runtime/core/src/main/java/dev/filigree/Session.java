package dev.filigree;

import dev.filigree.event.Flight;
import dev.filigree.event.RunEvent;
import dev.filigree.event.WarmUpEvent;
import dev.filigree.plan.LayerPlan;
import dev.filigree.plan.LayerTime;
import dev.filigree.spi.Devices;
import dev.filigree.spi.Runner;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.function.Function;

/**
 * A model ready to run on a device. Thread-safe: any number of threads may call {@link #run}; as
 * many as the options allow run at the same time and the others wait. The first run with new input
 * shapes plans them, later ones only compute.
 */
public final class Session implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("dev.filigree");

  private final Model model;
  private final SessionOptions options;
  private final InputCheck check;
  private final Device device;
  private final Runner runner;
  private final Semaphore permits;
  private final Object state = new Object();
  private int running;
  private boolean closed;

  Session(Model model, SessionOptions options) {
    this.model = model;
    this.options = options;
    this.check = new InputCheck(model.inputs(), model.outputs());
    Devices.Chosen chosen = Devices.choose(options.device());
    this.device = chosen.device();
    chosen.provider().prepare(model.operators(), options);
    this.runner =
        chosen.provider().open(device, model.graph(), options, "filigree-" + model.name());
    this.permits = new Semaphore(options.concurrentRuns());
    LOG.log(
        System.Logger.Level.INFO,
        "session of {0}: {1}, {2} kernels, {3} threads",
        model.name(),
        device,
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
    return device;
  }

  /** Name of the kernels it runs with. */
  public String kernels() {
    return runner.kernels();
  }

  /**
   * Checks the inputs of a run without running it.
   *
   * @throws InputException if one is missing, unknown, or of the wrong type or shape
   */
  public void check(Map<String, Tensor> inputs) {
    check.inputs(inputs);
  }

  /** Bytes of weights laid out for the kernels, beside the model's own. */
  public long packedBytes() {
    return runner.packedBytes();
  }

  /** Bytes of activation memory kept ready for runs of shapes that have been planned. */
  public long idleBytes() {
    return runner.idleBytes();
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
    check.inputs(inputs);
    begin();
    RunEvent event = Flight.begin(RunEvent::new);
    try {
      return runner.run(inputs);
    } finally {
      end();
      commit(event);
    }
  }

  /**
   * Whether {@link #run(Map, int[])} leaves padding out: on the CPU, where nothing in the model
   * computes a token from others but attention.
   *
   * @param shapes of all inputs by name, {@code attention_mask [rows, tokens]} among them
   * @throws InputException if a shape is missing, unknown or does not fit, or there is no such mask
   * @throws IllegalStateException if the session was closed
   */
  public boolean leavesOutPadding(Map<String, Shape> shapes) {
    check.shapes(shapes);
    tokens(shapes, Function.identity());
    begin();
    try {
      return runner.leavesOutPadding(shapes);
    } finally {
      end();
    }
  }

  /**
   * Runs the model on rows that were padded to one length. Where it can ({@link
   * #leavesOutPadding}), it computes the tokens that are no padding and no others, so that rows of
   * different length cost what their tokens cost; otherwise all. Rows may be empty.
   *
   * @param inputs by name; {@code attention_mask [rows, tokens]} among them hides the padding
   * @param lengths tokens of each row that are no padding, at its beginning
   * @return the outputs by name, in tensors of their own on the heap; of any value where they
   *     belong to padding
   * @throws InputException if an input is missing, unknown, or of the wrong type or shape, or
   *     lengths are not those of the rows
   * @throws IllegalStateException if the session was closed
   */
  public Map<String, Tensor> run(Map<String, Tensor> inputs, int[] lengths) {
    check.inputs(inputs);
    checkLengths(inputs, lengths);
    begin();
    RunEvent event = Flight.begin(RunEvent::new);
    try {
      return runner.run(inputs, lengths);
    } finally {
      end();
      commit(event);
    }
  }

  private void checkLengths(Map<String, Tensor> inputs, int[] lengths) {
    Shape tokens = tokens(inputs, Tensor::shape);
    boolean fits =
        lengths.length == tokens.extent(0)
            && Arrays.stream(lengths).allMatch(length -> length >= 0 && length <= tokens.extent(1));
    if (!fits) {
      throw new InputException(
          "lengths " + Arrays.toString(lengths) + " are not those of rows of " + tokens,
          "pass one length for each row, none longer than the row");
    }
  }

  /** The shape of the input that says which tokens are no padding. */
  private <T> Shape tokens(Map<String, T> inputs, Function<T, Shape> shape) {
    return Optional.ofNullable(inputs.get(Runner.MASK))
        .map(shape)
        .filter(mask -> mask.rank() == 2)
        .orElseThrow(
            () ->
                new InputException(
                    model.path() + " has no input " + Runner.MASK + " of the shape [rows, tokens]",
                    "run it without lengths"));
  }

  /**
   * Runs the model into tensors of the caller; allocates nothing once the shapes have been planned.
   *
   * @param inputs by name
   * @param outputs by name, contiguous; those left out are not delivered
   * @throws InputException if an input or output is unknown or does not fit
   * @throws IllegalStateException if the session was closed
   */
  public void run(Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
    check.inputs(inputs);
    check.outputs(outputs);
    begin();
    RunEvent event = Flight.begin(RunEvent::new);
    try {
      runner.run(inputs, outputs);
    } finally {
      end();
      commit(event);
    }
  }

  /**
   * Runs the model and tells what each step took, in their order, instead of the outputs.
   *
   * @throws InputException if an input is missing, unknown, or of the wrong type or shape
   * @throws UnsupportedException if the device cannot tell
   * @throws IllegalStateException if the session was closed
   */
  public List<LayerTime> profile(Map<String, Tensor> inputs) {
    check.inputs(inputs);
    begin();
    try {
      return runner.profile(inputs);
    } finally {
      end();
    }
  }

  private void commit(RunEvent event) {
    if (event != null) {
      event.model = model.name();
      event.device = device.toString();
      event.commit();
    }
  }

  /**
   * Makes later runs with inputs of these shapes fast from the first on: plans them, lets the JIT
   * compiler settle, and measures which kernel is the fastest for each layer.
   *
   * @param inputs typical ones
   * @param progress hears how far it is
   * @throws InputException if an input is missing, unknown, or of the wrong type or shape
   * @throws IllegalStateException if the session was closed
   */
  public void warmUp(Map<String, Tensor> inputs, Progress progress) {
    check.inputs(inputs);
    begin();
    WarmUpEvent event = Flight.begin(WarmUpEvent::new);
    try {
      runner.warmUp(inputs, progress);
    } finally {
      end();
      if (event != null) {
        event.model = model.name();
        event.commit();
      }
    }
  }

  /**
   * What a run with inputs of some shapes does, layer by layer, and why.
   *
   * @param shapes of all inputs by name
   * @throws InputException if a shape is missing, unknown or does not fit
   * @throws IllegalStateException if the session was closed
   */
  public List<LayerPlan> plan(Map<String, Shape> shapes) {
    check.shapes(shapes);
    begin();
    try {
      return runner.layers(shapes);
    } finally {
      end();
    }
  }

  /** Waits for its turn, also when interrupted: the interrupt stays for the caller to see. */
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

  /**
   * Waits for the runs that go on and frees everything; later runs are refused. May be called
   * again.
   */
  @Override
  public void close() {
    boolean first;
    boolean interrupted = false;
    synchronized (state) {
      first = !closed;
      closed = true;
      while (running > 0) {
        try {
          state.wait();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
    }
    try {
      if (first) {
        closeRunner();
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** The file is let go of also if a device that is gone refuses to end its context. */
  private void closeRunner() {
    try {
      runner.close();
    } finally {
      model.release();
    }
  }
}
