package dev.filigree.plan;

import dev.filigree.InputException;
import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Interpreter;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.Runner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Runs a graph on the CPU: keeps a plan for each set of input shapes, workspaces for the runs that
 * go on, and the threads they share. Thread-safe. The caller bounds the number of concurrent runs.
 */
public final class GraphRunner implements Runner {
  private final Graph graph;
  private final SessionOptions options;
  private final LinearLayers linearLayers;
  private final Interpreter interpreter;
  private final WorkerPool pool;

  /** Plans by shapes, replaced as a whole so that a run finds its plan without a lock. */
  private volatile ShapePlan[] plans = new ShapePlan[0];

  /**
   * A runner.
   *
   * @param graph after the standard passes
   * @param name prefix of the threads' names
   */
  public GraphRunner(Graph graph, SessionOptions options, Kernels kernels, String name) {
    this.graph = graph;
    this.options = options;
    this.linearLayers = new LinearLayers(kernels, options.precision());
    this.interpreter = new Interpreter(graph);
    this.pool = new WorkerPool(options.threads(), name);
  }

  @Override
  public String kernels() {
    return linearLayers.kernels().name();
  }

  @Override
  public long packedBytes() {
    return linearLayers.bytes();
  }

  /**
   * Runs the graph into tensors of the caller. Nothing is allocated once the shapes have been
   * planned.
   *
   * @param inputs by name, of the declared types
   * @param outputs by name, of the right types and shapes, contiguous; those left out are not
   *     wanted
   */
  @Override
  public void run(Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
    ShapePlan shapes = plan(inputs);
    if (shapes.plan().isEmpty()) {
      Map<String, Tensor> results = interpreter.run(contiguous(inputs));
      outputs.forEach((name, target) -> results.get(name).copyTo(target));
      return;
    }
    Plan plan = shapes.plan().get();
    // by index, here and below: an iterator would be garbage of every run
    for (int i = 0; i < plan.outputs().size(); i++) {
      Plan.Output output = plan.outputs().get(i);
      Tensor target = outputs.get(output.info().name());
      if (target != null) {
        check(output, target);
      }
    }
    Workspace workspace = shapes.take(pool.size());
    try {
      plan.run(workspace, pool, graph.inputs(), inputs, outputs);
    } finally {
      shapes.give(workspace);
      if (idleBytes() > options.activationBytes()) {
        freeIdle();
      }
    }
  }

  @Override
  public long idleBytes() {
    long bytes = 0;
    for (ShapePlan plan : plans) {
      bytes += plan.idleBytes();
    }
    return bytes;
  }

  /** Frees memory of the shapes used longest ago until the rest is within the session's limit. */
  private synchronized void freeIdle() {
    ShapePlan[] byLastUse = plans.clone();
    Arrays.sort(byLastUse, ShapePlan.BY_LAST_USE);
    for (int i = 0; i < byLastUse.length && idleBytes() > options.activationBytes(); i++) {
      byLastUse[i].freeIdle();
    }
  }

  private static void check(Plan.Output output, Tensor target) {
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

  @Override
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    ShapePlan shapes = plan(inputs);
    if (shapes.plan().isEmpty()) {
      return interpreter.run(contiguous(inputs));
    }
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    for (Plan.Output output : shapes.plan().get().outputs()) {
      outputs.put(output.info().name(), Tensor.zeros(output.info().dtype(), output.shape()));
    }
    run(inputs, outputs);
    return outputs;
  }

  private static Map<String, Tensor> contiguous(Map<String, Tensor> inputs) {
    Map<String, Tensor> all = new HashMap<>(inputs);
    all.replaceAll((name, tensor) -> tensor.contiguous());
    return all;
  }

  @Override
  public List<LayerPlan> layers(Map<String, Shape> shapes) {
    ShapePlan plan = planFor(shapes);
    return plan.plan().map(Plan::layers).orElseGet(this::interpreted);
  }

  private List<LayerPlan> interpreted() {
    List<LayerPlan> layers = new ArrayList<>();
    for (Node node : graph.nodes()) {
      layers.add(
          new LayerPlan(
              node.name(),
              node.type(),
              "rows",
              "reference",
              "shapes in this graph follow from data, so it is computed node by node",
              0,
              List.of()));
    }
    return layers;
  }

  /**
   * Prepares for inputs of some shapes: plans, lets the JIT compiler settle, measures the
   * candidates of every kind of linear layer, and plans again with the fastest. Repeating it costs
   * little.
   */
  @Override
  public void warmUp(Map<String, Tensor> inputs, Progress progress) {
    ShapePlan first = plan(inputs);
    if (first.plan().isEmpty()) {
      interpreter.run(contiguous(inputs));
      return;
    }
    Map<String, Tensor> outputs = run(inputs);
    WarmUp warmUp = new WarmUp(linearLayers, pool);
    warmUp.settle(() -> run(inputs, outputs), progress);
    if (warmUp.measure(first.plan().get().linearSteps(), progress)) {
      Map<String, Shape> shapes = shapes(inputs);
      forget(shapes);
      run(inputs, outputs);
      freeUnused();
    }
  }

  private static Map<String, Shape> shapes(Map<String, Tensor> inputs) {
    Map<String, Shape> shapes = new HashMap<>();
    inputs.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return shapes;
  }

  private ShapePlan plan(Map<String, Tensor> inputs) {
    ShapePlan found = find(inputs);
    if (found == null) {
      found = planFor(shapes(inputs));
    }
    found.touch();
    return found;
  }

  private ShapePlan find(Map<String, Tensor> inputs) {
    for (ShapePlan plan : plans) {
      if (plan.fits(graph.inputs(), inputs)) {
        return plan;
      }
    }
    return null;
  }

  private synchronized ShapePlan planFor(Map<String, Shape> shapes) {
    for (ShapePlan plan : plans) {
      if (plan.isFor(shapes)) {
        return plan;
      }
    }
    Optional<Plan> made = Planner.plan(graph, shapes, linearLayers);
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
    ShapePlan plan = new ShapePlan(graph.inputs(), shapes, made);
    List<ShapePlan> kept = new ArrayList<>(List.of(plans));
    if (kept.size() >= options.shapes()) {
      ShapePlan oldest = Collections.min(kept, ShapePlan.BY_LAST_USE);
      kept.remove(oldest);
      oldest.retire();
    }
    kept.add(plan);
    plans = kept.toArray(ShapePlan[]::new);
    return plan;
  }

  private synchronized void forget(Map<String, Shape> shapes) {
    List<ShapePlan> kept = new ArrayList<>(List.of(plans));
    kept.removeIf(
        plan -> {
          if (plan.isFor(shapes)) {
            plan.retire();
            return true;
          }
          return false;
        });
    plans = kept.toArray(ShapePlan[]::new);
  }

  private synchronized void freeUnused() {
    Set<PackedLinear> used = Collections.newSetFromMap(new IdentityHashMap<>());
    for (ShapePlan plan : plans) {
      plan.plan().ifPresent(p -> used.addAll(p.linearKernels()));
    }
    linearLayers.retain(used);
  }

  /** Frees memory and threads; no run may be going on. */
  @Override
  public synchronized void close() {
    for (ShapePlan plan : plans) {
      plan.retire();
    }
    plans = new ShapePlan[0];
    pool.close();
  }
}
