package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.graph.Graph;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernels.cuda.KernelEntry;
import dev.filigree.kernels.cuda.KernelManifest;
import dev.filigree.plan.LayerPlan;
import dev.filigree.plan.Recorded;
import dev.filigree.plan.ShapePlan;
import dev.filigree.plan.ShapePlans;
import dev.filigree.spi.Runner;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/**
 * Runs a graph on a CUDA device: keeps a plan for each set of input shapes, workspaces for the runs
 * that go on, and the weights they share.
 */
public final class DeviceRunner implements Runner {
  /** Name of the kernel set, and what lets the dispatch choose among them. */
  static final String KERNELS = "cuda";

  /** Elements of an output that are looked at for NaN, which seldom comes alone. */
  private static final long MOST_LOOKED_AT = 1 << 16;

  private static final System.Logger LOG = System.getLogger(DeviceRunner.class.getName());

  private final AtomicBoolean warned = new AtomicBoolean();
  private final Graph graph;
  private final SessionOptions options;
  private final DeviceState device;
  private final Interpreter interpreter;
  private final Measuring measuring;
  private final ShapePlans<DevicePlan, Workspace> plans;

  /** Runs that go on, whose plans may use weights that no plan here uses any more. */
  private int running;

  /**
   * A runner on a device that has a time of its own.
   *
   * @param context of its own, which it closes, also when this fails
   */
  public DeviceRunner(Graph graph, SessionOptions options, CudaContext context) {
    this(graph, options, context, Optional.empty());
  }

  /**
   * A runner.
   *
   * @param context of its own, which it closes, also when this fails
   * @param projections of a simulated device, in place of measurements
   */
  public DeviceRunner(
      Graph graph, SessionOptions options, CudaContext context, Optional<Projections> projections) {
    try {
      this.graph = graph;
      this.options = options;
      this.interpreter = new Interpreter(graph);
      this.device = new DeviceState(context, wanted(options));
      this.plans = new ShapePlans<>(graph.inputs(), options, this::planned, DevicePlan::bytes);
      this.measuring = new Measuring(device, graph, projections);
    } catch (RuntimeException | Error failed) {
      context.close();
      throw failed;
    }
  }

  /** How the names of the kernels of linear layers must begin. */
  static String wanted(SessionOptions options) {
    String kernels = options.kernels();
    if (kernels.isEmpty() || kernels.equals(KERNELS)) {
      return "";
    }
    KernelManifest manifest = KernelManifest.load();
    List<String> names =
        Stream.of(
                manifest.of("linear").stream().map(KernelEntry::entry),
                manifest.of(ConvolutionDispatch.OPERATION).stream().map(KernelEntry::entry),
                Stream.of(CublasOption.NAME, CusparseOption.NAME))
            .flatMap(each -> each)
            .toList();
    if (names.stream().noneMatch(name -> name.startsWith(kernels))) {
      throw new InputException(
          "no kernels '" + kernels + "' of linear layers or convolutions on a GPU",
          "choose '" + KERNELS + "' for the fastest, or the start of one of " + names);
    }
    return kernels;
  }

  @Override
  public String kernels() {
    return KERNELS;
  }

  @Override
  public synchronized long packedBytes() {
    return device.dispatch().bytes() + device.convolutions().bytes() + device.constants().bytes();
  }

  @Override
  public long idleBytes() {
    return plans.idleBytes();
  }

  @Override
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    ShapePlan<DevicePlan, Workspace> shapes = begin(inputs);
    if (shapes.plan().isEmpty()) {
      end();
      return interpreter.run(ShapePlans.contiguous(inputs));
    }
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    for (DevicePlan.Output output : shapes.plan().get().outputs()) {
      outputs.put(output.info().name(), Tensor.zeros(output.info().dtype(), output.shape()));
    }
    run(shapes, inputs, outputs);
    return outputs;
  }

  @Override
  public void run(Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
    ShapePlan<DevicePlan, Workspace> shapes = begin(inputs);
    if (shapes.plan().isEmpty()) {
      end();
      Map<String, Tensor> results = interpreter.run(ShapePlans.contiguous(inputs));
      outputs.forEach((name, target) -> results.get(name).copyTo(target));
      return;
    }
    try {
      for (DevicePlan.Output output : shapes.plan().get().outputs()) {
        Tensor target = outputs.get(output.info().name());
        if (target != null) {
          ShapePlans.check(output.info(), output.shape(), target);
        }
      }
    } catch (InputException misfit) {
      end();
      throw misfit;
    }
    run(shapes, inputs, outputs);
  }

  private void run(
      ShapePlan<DevicePlan, Workspace> shapes,
      Map<String, Tensor> inputs,
      Map<String, Tensor> outputs) {
    try {
      Workspace workspace =
          shapes.take(plan -> new Workspace(device.context(), plan, graph.opset()));
      try {
        workspace.run(graph.inputs(), inputs, outputs);
      } catch (RuntimeException | Error failed) {
        // what it had begun may still go on, so that another run could not use its memory
        workspace.closeAfter(failed);
        throw failed;
      }
      shapes.give(workspace);
      warnOfNaN(outputs);
    } finally {
      end();
    }
    plans.freeIdle();
  }

  /** Says once where to look: elsewhere the same model may have given numbers. */
  private void warnOfNaN(Map<String, Tensor> outputs) {
    if (warned.get()) {
      return;
    }
    for (Map.Entry<String, Tensor> output : outputs.entrySet()) {
      Tensor tensor = output.getValue();
      if (tensor.dtype() == DType.F32 && hasNaN(tensor) && warned.compareAndSet(false, true)) {
        LOG.log(
            System.Logger.Level.WARNING,
            "output '"
                + output.getKey()
                + "' holds NaN; floats are f16 on the CUDA device, where numbers beyond 65504"
                + " become infinities: scale the inputs if they are large, and compare with the"
                + " device cpu");
      }
    }
  }

  private static boolean hasNaN(Tensor tensor) {
    MemorySegment data = tensor.contiguous().data();
    long count = Math.min(tensor.elements(), MOST_LOOKED_AT);
    for (long i = 0; i < count; i++) {
      if (Float.isNaN(data.get(DType.FLOAT, i * Float.BYTES))) {
        return true;
      }
    }
    return false;
  }

  private Optional<DevicePlan> planned(Map<String, Shape> shapes) {
    Optional<DevicePlan> made =
        Recorded.plan(
            shapes,
            () -> DevicePlanner.plan(graph, shapes, device),
            DevicePlan::layers,
            DevicePlan::bytes);
    made.stream()
        .flatMap(plan -> plan.layers().stream())
        .filter(layer -> layer.kernel().equals(DevicePlanner.ON_HOST))
        .forEach(
            layer ->
                Recorded.fallback(
                    layer.operator() + " " + layer.name() + " on the CPU",
                    layer.reason(),
                    "export the graph with operators that have a kernel of the device"));
    return made;
  }

  /** The plan for inputs, which a run is about to use; {@link #end} must follow. */
  private synchronized ShapePlan<DevicePlan, Workspace> begin(Map<String, Tensor> inputs) {
    ShapePlan<DevicePlan, Workspace> plan = plans.plan(inputs);
    running++;
    return plan;
  }

  private synchronized void end() {
    running--;
  }

  /** Planning uses the weights and constants on the device, as measuring does. */
  private synchronized ShapePlan<DevicePlan, Workspace> planFor(Map<String, Shape> shapes) {
    return plans.planFor(shapes);
  }

  /**
   * Plans, captures and runs once; the candidates of every kind of layer are measured first, unless
   * they have been on this machine. On the simulated device projections stand in for measurements,
   * where its counters are on.
   */
  @Override
  public void warmUp(Map<String, Tensor> inputs, Progress progress) {
    Map<String, Shape> shapes = ShapePlans.shapes(inputs);
    ShapePlan<DevicePlan, Workspace> first = planFor(shapes);
    if (first.plan().isPresent() && measure(first.plan().get().choices(), progress)) {
      plans.forget(shapes);
      planFor(shapes);
      freeUnused();
    }
    run(inputs);
  }

  private synchronized boolean measure(List<PlannedLayer> layers, Progress progress) {
    return measuring.measure(layers, progress);
  }

  /** Frees the weights of candidates that were not taken, unless a run might use them. */
  private synchronized void freeUnused() {
    if (running == 0) {
      device.retain(
          plans.all().stream()
              .flatMap(plan -> plan.plan().stream())
              .flatMap(plan -> plan.choices().stream())
              .toList());
    }
  }

  @Override
  public List<LayerPlan> layers(Map<String, Shape> shapes) {
    return planFor(shapes)
        .plan()
        .map(DevicePlan::layers)
        .orElseGet(
            () ->
                graph.nodes().stream()
                    .map(
                        node ->
                            new LayerPlan(
                                node.name(),
                                node.type(),
                                "rows",
                                DevicePlanner.ON_HOST,
                                "shapes in this graph follow from data, so it is computed node by"
                                    + " node in the process",
                                0,
                                List.of()))
                    .toList());
  }

  @Override
  public synchronized void close() {
    try (device) {
      plans.retire();
    }
  }
}
