package dev.filigree.plan;

import dev.filigree.Progress;
import dev.filigree.SessionOptions;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Graph;
import dev.filigree.graph.pass.Passes;
import dev.filigree.kernel.Interpreter;
import dev.filigree.spi.KernelGuard;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.Panels;
import dev.filigree.spi.Runner;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * Runs a graph on the CPU: keeps a plan for each set of input shapes, workspaces for the runs that
 * go on, and the threads they share. Thread-safe. The caller bounds the number of concurrent runs.
 */
public final class GraphRunner implements Runner {
  /**
   * Runs after which kernels are looked at, if no warm-up has done it: more than once, as a busy
   * machine may not have compiled the scalar kernels that they are compared with.
   */
  private static final int[] LOOKS = {100, 1_000, 10_000, 100_000};

  private final Graph graph;
  private final SessionOptions options;
  private final LinearLayers linearLayers;
  private final Interpreter interpreter;
  private final WorkerPool pool;
  private final boolean ownsPool;

  /** Whether no tokens could be left out when it was tried last: then it is not tried again. */
  private volatile boolean needsAllTokens;

  /** Made by the first plan, used by one at a time. */
  private Former former;

  /** Made by the first run of a graph whose shapes follow from data; null until then. */
  private volatile Optional<SplitRunner> split;

  /** Kept, as one made for each run would be garbage of it. */
  private final Function<Plan, Workspace> workspaces;

  private final ShapePlans<Plan, Workspace> plans;

  /** Runs until kernels were looked at for the last time. */
  private final AtomicInteger unwatched = new AtomicInteger();

  /**
   * A runner.
   *
   * @param graph after the standard passes
   * @param name prefix of the threads' names
   */
  public GraphRunner(Graph graph, SessionOptions options, Kernels kernels, String name) {
    this(
        Passes.onWholeNumbers(graph),
        options,
        kernels,
        new WorkerPool(options.threads(), name),
        true);
  }

  private GraphRunner(
      Graph graph, SessionOptions options, Kernels kernels, WorkerPool pool, boolean ownsPool) {
    this.graph = Passes.onChosenExperts(graph);
    this.options = options;
    this.pool = pool;
    this.ownsPool = ownsPool;
    this.linearLayers = new LinearLayers(kernels, options.precision());
    this.interpreter = new Interpreter(this.graph);
    this.workspaces = plan -> plan.workspace(pool.size());
    this.plans = new ShapePlans<>(graph.inputs(), options, this::planned, Plan::bytes);
  }

  @Override
  public String kernels() {
    return linearLayers.kernels().name();
  }

  Graph graph() {
    return graph;
  }

  @Override
  public long packedBytes() {
    Optional<SplitRunner> parts = split;
    long further = parts == null ? 0 : parts.map(SplitRunner::packedBytes).orElse(0L);
    return linearLayers.bytes() + further;
  }

  /** The parts of a graph that has no plan as a whole; nothing if it is best interpreted. */
  private Optional<SplitRunner> split(Map<String, Shape> shapes) {
    Optional<SplitRunner> parts = split;
    if (parts == null) {
      synchronized (plans) {
        if (split == null) {
          Function<Graph, GraphRunner> runners =
              part -> new GraphRunner(part, options, linearLayers.kernels(), pool, false);
          split = SplitRunner.of(graph, shapes, runners);
        }
        parts = split;
      }
    }
    return parts;
  }

  private Map<String, Tensor> runUnplanned(Map<String, Tensor> inputs) {
    Map<String, Tensor> contiguous = ShapePlans.contiguous(inputs);
    return split(ShapePlans.shapes(inputs))
        .map(parts -> parts.run(contiguous))
        .orElseGet(() -> interpreter.run(contiguous));
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
    run(plans.plan(inputs), inputs, outputs, null);
  }

  /** Runs a plan; {@code lengths} are those of the rows of a plan that leaves padding out. */
  private void run(
      ShapePlan<Plan, Workspace> shapes,
      Map<String, Tensor> inputs,
      Map<String, Tensor> outputs,
      int[] lengths) {
    if (shapes.plan().isEmpty()) {
      Map<String, Tensor> results = runUnplanned(inputs);
      outputs.forEach((name, target) -> results.get(name).copyTo(target));
      return;
    }
    Plan plan = shapes.plan().get();
    // by index, here and below: an iterator would be garbage of every run
    for (int i = 0; i < plan.outputs().size(); i++) {
      Plan.Output output = plan.outputs().get(i);
      Tensor target = outputs.get(output.info().name());
      if (target != null) {
        ShapePlans.check(output.info(), output.shape(), target);
      }
    }
    Workspace workspace = shapes.take(workspaces);
    if (lengths != null) {
      workspace.sequences().begin(lengths);
    }
    pool.begin();
    try {
      plan.run(workspace, pool, graph.inputs(), inputs, outputs);
    } finally {
      pool.end();
      shapes.give(workspace);
      plans.freeIdle();
    }
    watch();
  }

  private void watch() {
    if (unwatched.get() < LOOKS[LOOKS.length - 1]) {
      int runs = unwatched.incrementAndGet();
      for (int look : LOOKS) {
        if (runs == look) {
          KernelGuard.checkUsedMeanwhile();
        }
      }
    }
  }

  @Override
  public long idleBytes() {
    Optional<SplitRunner> parts = split;
    return plans.idleBytes() + (parts == null ? 0 : parts.map(SplitRunner::idleBytes).orElse(0L));
  }

  @Override
  public List<LayerTime> profile(Map<String, Tensor> inputs) {
    ShapePlan<Plan, Workspace> shapes = plans.plan(inputs);
    Plan plan =
        shapes
            .plan()
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "this graph is computed node by node, without kernels to profile",
                        "profile a graph whose shapes do not follow from data"));
    Workspace workspace = shapes.take(workspaces);
    try {
      return plan.profile(workspace, pool, graph.inputs(), inputs);
    } finally {
      shapes.give(workspace);
    }
  }

  @Override
  public Map<String, Tensor> run(Map<String, Tensor> inputs) {
    ShapePlan<Plan, Workspace> shapes = plans.plan(inputs);
    if (shapes.plan().isEmpty()) {
      return runUnplanned(inputs);
    }
    return run(shapes, inputs, null);
  }

  private Map<String, Tensor> run(
      ShapePlan<Plan, Workspace> shapes, Map<String, Tensor> inputs, int[] lengths) {
    Map<String, Tensor> outputs = new LinkedHashMap<>();
    for (Plan.Output output : shapes.plan().orElseThrow().outputs()) {
      outputs.put(output.info().name(), Tensor.zeros(output.info().dtype(), output.shape()));
    }
    run(shapes, inputs, outputs, lengths);
    return outputs;
  }

  @Override
  public boolean leavesOutPadding(Map<String, Shape> shapes) {
    Shape tokens = shapes.get(MASK);
    return tokens.extent(1) > 1
        && !needsAllTokens
        && plans.planFor(shapes, Math.toIntExact(tokens.elements()) - 1).plan().isPresent();
  }

  @Override
  public Map<String, Tensor> run(Map<String, Tensor> inputs, int[] lengths) {
    int all = Math.toIntExact(inputs.get(MASK).elements());
    int room = room(IntStream.of(lengths).sum());
    if (room >= all || needsAllTokens) {
      return run(inputs);
    }
    ShapePlan<Plan, Workspace> shapes = plans.plan(inputs, room);
    return shapes.plan().isEmpty() ? run(inputs) : run(shapes, inputs, lengths);
  }

  /** Tokens that a plan has room for: few numbers make few plans, many leave little room empty. */
  private static int room(int tokens) {
    int step = Math.max(Panels.FULL / 4, Integer.highestOneBit(tokens) / 8);
    return Math.ceilDiv(tokens, step) * step;
  }

  @Override
  public List<LayerPlan> layers(Map<String, Shape> shapes) {
    return plans
        .planFor(shapes)
        .plan()
        .map(Plan::layers)
        .orElseGet(
            () -> split(shapes).map(parts -> parts.layers(shapes)).orElseGet(this::interpreted));
  }

  private List<LayerPlan> interpreted() {
    String reason = "shapes in this graph follow from data, so it is computed node by node";
    return graph.nodes().stream().map(node -> SplitRunner.interpreted(node, reason)).toList();
  }

  /**
   * Prepares for inputs of some shapes: plans, lets the JIT compiler settle, measures the
   * candidates of every kind of linear layer, and plans again with the fastest. Repeating it costs
   * little.
   */
  @Override
  public void warmUp(Map<String, Tensor> inputs, Progress progress) {
    ShapePlan<Plan, Workspace> first = plans.plan(inputs);
    if (first.plan().isEmpty()) {
      Map<String, Tensor> contiguous = ShapePlans.contiguous(inputs);
      split(ShapePlans.shapes(inputs)).ifPresent(parts -> parts.warmUp(contiguous, progress));
      runUnplanned(inputs);
      return;
    }
    unwatched.set(LOOKS[LOOKS.length - 1]);
    Map<String, Tensor> outputs = run(inputs);
    KernelGuard.checkUsed(); // also brings them out of the interpreter, sooner than whole runs do
    WarmUp warmUp = new WarmUp(linearLayers, pool);
    warmUp.settle(() -> run(inputs, outputs), progress);
    KernelGuard.checkUsed();
    if (warmUp.measure(first.plan().get().linearSteps(), progress)) {
      plans.forget(ShapePlans.shapes(inputs));
      run(inputs, outputs);
      freeUnused();
    }
  }

  /** Called by the plans, which make one at a time. */
  private Optional<Plan> planned(Map<String, Shape> shapes, int tokens) {
    if (graph.nodes().stream().anyMatch(Branches::isHeavy)) {
      return Optional.empty();
    }
    if (tokens != ShapePlans.ALL) {
      Shape padded = shapes.get(MASK);
      Ragged ragged =
          new Ragged(Math.toIntExact(padded.extent(0)), Math.toIntExact(padded.extent(1)), tokens);
      Optional<Plan> plan =
          Recorded.plan(
              shapes,
              () -> Planner.plan(graph, options.activationBytes(), shapes, linearLayers, ragged),
              Plan::layers,
              Plan::bytes);
      needsAllTokens = plan.isEmpty();
      return plan;
    }
    if (former == null) {
      former = new Former(graph, options.activationBytes());
    }
    return Recorded.plan(
        shapes, () -> Planner.plan(former, shapes, linearLayers), Plan::layers, Plan::bytes);
  }

  private synchronized void freeUnused() {
    Set<PackedLinear> used = Collections.newSetFromMap(new IdentityHashMap<>());
    for (ShapePlan<Plan, Workspace> plan : plans.all()) {
      plan.plan().ifPresent(p -> used.addAll(p.linearKernels()));
    }
    linearLayers.retain(used);
  }

  /** Frees memory and threads; no run may be going on. */
  @Override
  public synchronized void close() {
    plans.retire();
    Optional<SplitRunner> parts = split;
    if (parts != null) {
      parts.ifPresent(SplitRunner::close);
    }
    if (ownsPool) {
      pool.close();
    }
  }
}
