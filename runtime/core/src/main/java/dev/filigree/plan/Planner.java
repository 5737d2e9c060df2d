package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Interpreter;
import dev.filigree.kernel.Operators;
import dev.filigree.kernel.shape.View;
import dev.filigree.spi.PackedLinear;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Makes a plan out of a graph and the shapes of its inputs. What follows from shapes and constants
 * alone is computed now; every other node becomes a step. Values stay in panels from the first
 * layer that makes them so to the last that can read them so, and are moved only where a kernel
 * needs the other layout.
 */
final class Planner {
  /** Elements up to which a node of constants is computed at planning. */
  private static final long MAX_FOLDED = 1 << 20;

  /**
   * Elements of all results computed ahead: a graph of many small ones must not fill the memory.
   */
  private static final long MAX_FOLDED_IN_ALL = 16L * MAX_FOLDED;

  private final Graph graph;
  private final LinearLayers linearLayers;
  private final Map<String, ValueType> types;
  private final Map<String, Tensor> constants = new HashMap<>();
  private final Map<String, Map<Layout, Slot>> slots = new HashMap<>();
  private final List<Buffer> buffers = new ArrayList<>();

  /** Buffers that the step added next reads. */
  private final List<Buffer> pending = new ArrayList<>();

  private final List<Plan.Resident> residents = new ArrayList<>();
  private final List<Step> steps = new ArrayList<>();
  private final List<LayerPlan> layers = new ArrayList<>();
  private final List<WarmUp.Sized> linearSteps = new ArrayList<>();
  private final Set<PackedLinear> linearKernels =
      Collections.newSetFromMap(new IdentityHashMap<>());

  private long folded;

  private Planner(Graph graph, LinearLayers linearLayers, Map<String, ValueType> types) {
    this.graph = graph;
    this.linearLayers = linearLayers;
    this.types = types;
  }

  /**
   * Plans a graph.
   *
   * @param shapes of all inputs
   * @return nothing if some shape follows from data, so that only the interpreter can run the graph
   */
  static Optional<Plan> plan(Graph graph, Map<String, Shape> shapes, LinearLayers linearLayers) {
    Map<String, ValueType> types = ShapeInference.infer(graph, shapes, Operators::find);
    for (Node node : graph.nodes()) {
      for (String output : node.outputs()) {
        if (!output.isEmpty() && (types.get(output) == null || !types.get(output).isConcrete())) {
          return Optional.empty();
        }
      }
    }
    return Optional.of(new Planner(graph, linearLayers, types).plan());
  }

  private Plan plan() {
    List<Slot> inputs = new ArrayList<>();
    for (ValueInfo input : graph.inputs()) {
      inputs.add(define(input.name(), Layout.ROWS));
    }
    PanelRules rules = new PanelRules(this);
    ImageRules images = new ImageRules(this);
    for (Node node : graph.nodes()) {
      if (!fold(node) && !alias(node) && !rules.plan(node) && !images.plan(node)) {
        reference(node);
      }
    }
    List<Plan.Output> outputs = new ArrayList<>();
    for (ValueInfo info : graph.outputs()) {
      outputs.add(output(info));
    }
    long bytes = Arenas.place(buffers);
    return new Plan(
        linearLayers.kernels(),
        inputs,
        outputs,
        residents,
        steps,
        bytes,
        layers,
        linearKernels,
        linearSteps);
  }

  private Plan.Output output(ValueInfo info) {
    Optional<Tensor> constant = constant(info.name());
    if (constant.isPresent()) {
      return new Plan.Output(info, null, constant.get());
    }
    // panels are moved into the caller's memory at the end of a run, without a step of their own
    Slot slot = slots.get(info.name()).values().iterator().next();
    slot.buffer().needUntil(Integer.MAX_VALUE);
    return new Plan.Output(info, slot, null);
  }

  Graph graph() {
    return graph;
  }

  LinearLayers linearLayers() {
    return linearLayers;
  }

  ValueType type(String value) {
    return types.get(value);
  }

  /** A constant of the graph or of this plan, in plain form. */
  Optional<Tensor> constant(String value) {
    Tensor known = constants.get(value);
    if (known != null) {
      return Optional.of(known);
    }
    return graph.constants().get(value) instanceof Constant.Plain(Tensor tensor)
        ? Optional.of(tensor)
        : Optional.empty();
  }

  /** Whether a value lies in panels already. */
  boolean isInPanels(String value) {
    Map<Layout, Slot> places = slots.get(value);
    return places != null && places.containsKey(Layout.PANELS);
  }

  /** Memory for a value that the next step makes. */
  Slot define(String value, Layout layout) {
    ValueType type = types.get(value);
    Slot slot = place(type, layout);
    slots.computeIfAbsent(value, name -> new EnumMap<>(Layout.class)).put(layout, slot);
    return slot;
  }

  /** Keeps a slot until the step that is added next. */
  void use(Slot slot) {
    pending.add(slot.buffer());
  }

  /** Memory for a value without a name in the graph that the next step makes. */
  Slot place(ValueType type, Layout layout) {
    Shape shape = type.shape();
    Panels panels = null;
    long bytes = Tensor.byteSize(type.dtype(), shape);
    if (layout == Layout.PANELS) {
      int features = (int) shape.extent(-1);
      panels =
          Panels.of(
              Math.toIntExact(features == 0 ? 0 : shape.elements() / features),
              linearLayers.kernels().lanes());
      bytes = panels.bytes(features);
    }
    Buffer buffer = new Buffer(bytes, steps.size());
    buffers.add(buffer);
    return new Slot(type.dtype(), shape, layout, panels, buffer);
  }

  /** Memory for a value in a form of its own that the next step makes. */
  Slot place(long bytes, Panels panels) {
    Buffer buffer = new Buffer(bytes, steps.size());
    buffers.add(buffer);
    return new Slot(DType.U8, Shape.of(bytes), Layout.PANELS, panels, buffer);
  }

  /**
   * A value in a layout, moved there by a step of its own if need be, kept until the step that is
   * added next.
   */
  Slot use(String value, Layout layout) {
    Map<Layout, Slot> places = slots.get(value);
    if (places == null) {
      return resident(value, layout);
    }
    Slot slot = places.get(layout);
    if (slot == null) {
      Slot other = places.values().iterator().next();
      other.buffer().needUntil(steps.size());
      slot = define(value, layout);
      steps.add(
          layout == Layout.PANELS
              ? new PanelSteps.ToPanels(linearLayers.kernels(), other, slot)
              : new PanelSteps.ToRows(linearLayers.kernels(), other, slot));
    }
    pending.add(slot.buffer());
    return slot;
  }

  /** A constant put in the arena for the whole life of a workspace. */
  private Slot resident(String value, Layout layout) {
    Tensor tensor = constant(value).orElseThrow().contiguous();
    types.put(value, ValueType.of(tensor));
    Slot slot = define(value, Layout.ROWS);
    slot.buffer().needFromStart();
    slot.buffer().needUntil(Integer.MAX_VALUE);
    residents.add(new Plan.Resident(slot, tensor));
    return layout == Layout.ROWS ? slot : use(value, layout);
  }

  /** Adds a step that reads all that was used since the last one. */
  void add(Step step) {
    pending.forEach(buffer -> buffer.needUntil(steps.size()));
    pending.clear();
    steps.add(step);
  }

  /** Notes that a linear layer of the plan runs by a kernel. */
  void use(PackedLinear kernel, LinearLayers.Layer layer, int tokens) {
    linearKernels.add(kernel);
    linearSteps.add(new WarmUp.Sized(layer, tokens));
  }

  void explain(LayerPlan layer) {
    layers.add(layer);
  }

  /** Computes a node now if nothing of it depends on data. */
  private boolean fold(Node node) {
    // a body may run for as long as it likes
    if (node.output().isEmpty() || !node.bodies().isEmpty()) {
      return false;
    }
    ValueType type = types.get(node.output());
    if (node.outputs().size() == 1 && type.hasKnownContent()) {
      constants.put(node.output(), type.tensor());
      return true;
    }
    Tensor[] operands = new Tensor[node.inputs().size()];
    for (int i = 0; i < operands.length; i++) {
      String input = node.inputs().get(i);
      if (!input.isEmpty()) {
        Optional<Tensor> constant = constant(input);
        if (constant.isEmpty()) {
          return false;
        }
        operands[i] = constant.get().contiguous();
      }
    }
    long elements = type.shape().elements();
    if (elements > MAX_FOLDED || folded + elements > MAX_FOLDED_IN_ALL) {
      return false;
    }
    folded += elements;
    Tensor[] results = Interpreter.run(node, graph.opset(), operands);
    for (int i = 0; i < results.length; i++) {
      constants.put(node.outputs().get(i), results[i]);
    }
    return true;
  }

  /** Lets a node that only sees its input under another shape share the input's memory. */
  private boolean alias(Node node) {
    if (!(Operators.find(node) instanceof View)) {
      return false;
    }
    String input = node.inputs().getFirst();
    Shape shape = types.get(node.output()).shape();
    boolean rowsOfTokens =
        isInPanels(input)
            && shape.rank() > 0
            && shape.extent(-1) == types.get(input).shape().extent(-1);
    Layout layout = rowsOfTokens ? Layout.PANELS : Layout.ROWS;
    Slot slot = use(input, layout).as(shape);
    slots.computeIfAbsent(node.output(), name -> new EnumMap<>(Layout.class)).put(layout, slot);
    return true;
  }

  private void reference(Node node) {
    List<Function<MemorySegment, Tensor>> inputs = new ArrayList<>();
    for (String input : node.inputs()) {
      inputs.add(input.isEmpty() ? null : operand(input));
    }
    List<Slot> outputs = new ArrayList<>();
    for (String output : node.outputs()) {
      outputs.add(output.isEmpty() ? null : define(output, Layout.ROWS));
    }
    add(new ReferenceStep(node, graph.opset(), inputs, outputs));
    explain(
        new LayerPlan(
            node.name(),
            node.type(),
            node.outputs().stream()
                .filter(output -> !output.isEmpty())
                .map(output -> types.get(output).toString())
                .findFirst()
                .orElse(""),
            "reference",
            "no faster kernel for this operator on these operands",
            0,
            List.of()));
  }

  /** A row-major operand of a kernel that takes tensors. */
  Function<MemorySegment, Tensor> operand(String value) {
    if (slots.containsKey(value)) {
      Slot slot = use(value, Layout.ROWS);
      return slot::tensor;
    }
    Tensor tensor =
        constant(value).orElseGet(() -> graph.constants().get(value).toTensor()).contiguous();
    return memory -> tensor;
  }
}
