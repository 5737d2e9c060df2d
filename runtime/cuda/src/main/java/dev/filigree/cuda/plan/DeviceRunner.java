package dev.filigree.cuda.plan;

import dev.filigree.InputException;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.driver.CudaContext;
import dev.filigree.graph.Graph;
import dev.filigree.kernel.Interpreter;
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

/**
 * Runs a graph on a CUDA device: keeps a plan for each set of input shapes, workspaces for the runs
 * that go on, and the weights they share.
 */
public final class DeviceRunner implements Runner {
  private final Graph graph;
  private final SessionOptions options;
  private final DeviceState device;
  private final Interpreter interpreter;
  private final List<ShapePlan> plans = new ArrayList<>();

  /**
   * A runner.
   *
   * @param context of its own, which it closes, also when this fails
   */
  public DeviceRunner(Graph graph, SessionOptions options, CudaContext context) {
    try {
      this.graph = graph;
      this.options = options;
      this.interpreter = new Interpreter(graph);
      this.device = new DeviceState(context);
    } catch (RuntimeException | Error failed) {
      context.close();
      throw failed;
    }
  }

  @Override
  public String kernels() {
    return "cuda";
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
    ShapePlan shapes = planFor(shapes(inputs));
    if (shapes.plan().isEmpty()) {
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
    ShapePlan shapes = planFor(shapes(inputs));
    if (shapes.plan().isEmpty()) {
      Map<String, Tensor> results = interpreter.run(contiguous(inputs));
      outputs.forEach((name, target) -> results.get(name).copyTo(target));
      return;
    }
    for (DevicePlan.Output output : shapes.plan().get().outputs()) {
      Tensor target = outputs.get(output.info().name());
      if (target != null) {
        check(output, target);
      }
    }
    run(shapes, inputs, outputs);
  }

  private void run(ShapePlan shapes, Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
    Workspace workspace = shapes.take(device.context(), graph.opset());
    try {
      workspace.run(graph.inputs(), inputs, outputs);
    } catch (RuntimeException | Error failed) {
      // what it had begun may still go on, so that another run could not use its memory
      workspace.closeAfter(failed);
      throw failed;
    }
    shapes.give(workspace);
    if (idleBytes() > options.activationBytes()) {
      freeIdle();
    }
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
   * Plans, captures and runs once; on a real device it measures the candidates of every kind of
   * linear layer first. The simulated device has no speed of its own: there the prediction decides.
   */
  @Override
  public void warmUp(Map<String, Tensor> inputs, Progress progress) {
    ShapePlan first = planFor(shapes(inputs));
    if (first.plan().isPresent()
        && !device.context().properties().isSimulated()
        && measure(first.plan().get().linears(), progress)) {
      forget(first);
    }
    run(inputs);
  }

  /** Measures what has not been measured; whether there was any. */
  private synchronized boolean measure(List<LinearLayer> layers, Progress progress) {
    LinearDispatch dispatch = device.dispatch();
    LinearTiming timing = new LinearTiming(device);
    boolean any = false;
    for (int i = 0; i < layers.size(); i++) {
      LinearLayer layer = layers.get(i);
      List<LinearOption> options = dispatch.options(layer);
      if (!dispatch.isMeasured(layer) && options.size() > 1) {
        progress.at("measuring kernels", i, layers.size());
        dispatch.record(layer, timing.measure(layer, options));
        any = true;
      }
    }
    progress.at("measuring kernels", layers.size(), layers.size());
    return any;
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
