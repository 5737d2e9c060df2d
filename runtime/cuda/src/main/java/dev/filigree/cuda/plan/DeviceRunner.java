package dev.filigree.cuda.plan;

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
import dev.filigree.spi.Runner;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Runs a graph on a CUDA device: keeps a plan for each set of input shapes, workspaces for the runs
 * that go on, and the weights they share.
 */
public final class DeviceRunner implements Runner {
  /** Name of the kernel set, and what lets the dispatch choose among them. */
  private static final String KERNELS = "cuda";

  private final Graph graph;
  private final SessionOptions options;
  private final DeviceState device;
  private final Interpreter interpreter;
  private final LinearClock clock;
  private final Optional<MeasurementStore> store;
  private final List<ShapePlan> plans = new ArrayList<>();

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
      this.clock =
          projections
              .<LinearClock>map(each -> new Projecting(device, each))
              .orElseGet(() -> new LinearTiming(device));
      this.store =
          context.properties().isSimulated()
              ? Optional.empty()
              : Optional.of(MeasurementStore.of(context.properties()));
      store.ifPresent(each -> device.dispatch().times().addAll(each.load()));
    } catch (RuntimeException | Error failed) {
      context.close();
      throw failed;
    }
  }

  /** How the names of the kernels of linear layers must begin. */
  private static String wanted(SessionOptions options) {
    String kernels = options.kernels();
    if (kernels.isEmpty() || kernels.equals(KERNELS)) {
      return "";
    }
    List<String> names =
        Stream.concat(
                KernelManifest.load().of("linear").stream().map(KernelEntry::entry),
                Stream.of(CublasOption.NAME, CusparseOption.NAME))
            .toList();
    if (names.stream().noneMatch(name -> name.startsWith(kernels))) {
      throw new InputException(
          "no kernels '" + kernels + "' of linear layers on a GPU",
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
    return device.dispatch().bytes() + device.constants().bytes();
  }

  @Override
  public synchronized long idleBytes() {
    return plans.stream().mapToLong(ShapePlan::idleBytes).sum();
  }

  @Override
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    ShapePlan shapes = begin(inputs);
    if (shapes.plan().isEmpty()) {
      end();
      return interpreter.run(contiguous(inputs));
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
    ShapePlan shapes = begin(inputs);
    if (shapes.plan().isEmpty()) {
      end();
      Map<String, Tensor> results = interpreter.run(contiguous(inputs));
      outputs.forEach((name, target) -> results.get(name).copyTo(target));
      return;
    }
    try {
      for (DevicePlan.Output output : shapes.plan().get().outputs()) {
        Tensor target = outputs.get(output.info().name());
        if (target != null) {
          check(output, target);
        }
      }
    } catch (InputException misfit) {
      end();
      throw misfit;
    }
    run(shapes, inputs, outputs);
  }

  private void run(ShapePlan shapes, Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
    try {
      Workspace workspace = shapes.take(device.context(), graph.opset());
      try {
        workspace.run(graph.inputs(), inputs, outputs);
      } catch (RuntimeException | Error failed) {
        // what it had begun may still go on, so that another run could not use its memory
        workspace.closeAfter(failed);
        throw failed;
      }
      shapes.give(workspace);
    } finally {
      end();
    }
    if (idleBytes() > options.activationBytes()) {
      freeIdle();
    }
  }

  /** The plan for inputs, which a run is about to use; {@link #end} must follow. */
  private synchronized ShapePlan begin(Map<String, Tensor> inputs) {
    ShapePlan plan = planFor(shapes(inputs));
    running++;
    return plan;
  }

  private synchronized void end() {
    running--;
  }

  private static void check(DevicePlan.Output output, Tensor target) {
    if (!target.shape().equals(output.shape())
        || target.dtype() != output.info().dtype()
        || !target.isContiguous()) {
      throw new InputException(
          "output '"
              + output.info().name()
              + "' is "
              + output.info().dtype()
              + output.shape()
              + " but the tensor for it is "
              + target,
          "pass a contiguous tensor of that type and shape");
    }
  }

  private static Map<String, Tensor> contiguous(Map<String, Tensor> inputs) {
    Map<String, Tensor> all = new HashMap<>(inputs);
    all.replaceAll((name, tensor) -> tensor.contiguous());
    return all;
  }

  private static Map<String, Shape> shapes(Map<String, Tensor> inputs) {
    Map<String, Shape> shapes = new HashMap<>();
    inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return shapes;
  }

  /** Frees memory of the shapes used longest ago until the rest is within the session's limit. */
  private synchronized void freeIdle() {
    List<ShapePlan> byLastUse = new ArrayList<>(plans);
    byLastUse.sort(Comparator.comparingLong(ShapePlan::lastUse));
    for (ShapePlan plan : byLastUse) {
      if (idleBytes() <= options.activationBytes()) {
        return;
      }
      plan.freeIdle();
    }
  }

  private synchronized ShapePlan planFor(Map<String, Shape> shapes) {
    for (ShapePlan plan : plans) {
      if (plan.isFor(shapes)) {
        plan.touch();
        return plan;
      }
    }
    Optional<DevicePlan> made = DevicePlanner.plan(graph, shapes, device);
    made.filter(plan -> plan.bytes() > options.activationBytes())
        .ifPresent(
            plan -> {
              throw new InputException(
                  "inputs of the shapes "
                      + shapes
                      + " need "
                      + plan.bytes()
                      + " bytes of activations, more than the "
                      + options.activationBytes()
                      + " the session may take",
                  "use smaller batches or shorter sequences, or raise"
                      + " SessionOptions.activationBytes");
            });
    if (plans.size() >= options.shapes()) {
      ShapePlan oldest = Collections.min(plans, Comparator.comparingLong(ShapePlan::lastUse));
      plans.remove(oldest);
      oldest.retire();
    }
    ShapePlan plan = new ShapePlan(shapes, made);
    plans.add(plan);
    return plan;
  }

  /**
   * Plans, captures and runs once; the candidates of every kind of linear layer are measured first,
   * unless they have been on this machine. On the simulated device projections stand in for
   * measurements, where its counters are on.
   */
  @Override
  public void warmUp(Map<String, Tensor> inputs, Progress progress) {
    ShapePlan first = planFor(shapes(inputs));
    boolean canMeasure = clock.isProjecting() || !device.context().properties().isSimulated();
    if (canMeasure && first.plan().isPresent() && measure(first.plan().get().linears(), progress)) {
      forget(first);
      planFor(shapes(inputs));
      freeUnused();
    }
    run(inputs);
  }

  /** Measures what has not been measured; whether there was any. */
  private synchronized boolean measure(List<LinearLayer.Planned> layers, Progress progress) {
    LinearDispatch dispatch = device.dispatch();
    boolean any = false;
    for (int i = 0; i < layers.size(); i++) {
      LinearLayer layer = layers.get(i).layer();
      List<LinearOption> options = dispatch.options(layer);
      if (!dispatch.times().has(layer.kind()) && options.size() > 1) {
        progress.at("measuring kernels", i, layers.size());
        dispatch.times().record(layer.kind(), clock.measure(layer, options), clock.isProjecting());
        any = true;
      }
    }
    progress.at("measuring kernels", layers.size(), layers.size());
    if (any) {
      store.ifPresent(each -> each.save(dispatch.times().all()));
    }
    return any;
  }

  /** Frees the weights of candidates that were not taken, unless a run might use them. */
  private synchronized void freeUnused() {
    if (running == 0) {
      device
          .dispatch()
          .retain(
              plans.stream()
                  .flatMap(plan -> plan.plan().stream())
                  .flatMap(plan -> plan.linears().stream())
                  .toList());
    }
  }

  private synchronized void forget(ShapePlan plan) {
    if (plans.remove(plan)) {
      plan.retire();
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
                                "cpu reference",
                                "shapes in this graph follow from data, so it is computed node by"
                                    + " node in the process",
                                0,
                                List.of()))
                    .toList());
  }

  @Override
  public synchronized void close() {
    try (device) {
      plans.forEach(ShapePlan::retire);
      plans.clear();
    }
  }
}
