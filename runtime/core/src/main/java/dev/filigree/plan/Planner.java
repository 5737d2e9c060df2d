package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ValueInfo;
import dev.filigree.graph.ValueType;
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
import java.util.function.Predicate;

/**
 * Makes a plan out of a graph and the shapes of its inputs. What follows from shapes and constants
 * alone is computed now; every other node becomes a step. Values stay in panels from the first
 * layer that makes them so to the last that can read them so, and are moved only where a kernel
 * needs the other layout.
 */
final class Planner {
  private final Graph graph;
  private final LinearLayers linearLayers;
  private final Map<String, ValueType> types;
  private final Folding folding;
  private final Map<String, Map<Layout, Slot>> slots = new HashMap<>();
  private final List<Buffer> buffers = new ArrayList<>();

  /** Buffers that the step added next reads. */
  private final List<Buffer> pending = new ArrayList<>();

  private final List<Plan.Resident> residents = new ArrayList<>();
  private final List<Step> steps = new ArrayList<>();
  private final List<LayerPlan> layers = new ArrayList<>();

  /** For each layer, the number of steps up to its last. */
  private final List<Integer> stepsUpTo = new ArrayList<>();

  private final List<WarmUp.Sized> linearSteps = new ArrayList<>();
  private final Set<PackedLinear> linearKernels =
      Collections.newSetFromMap(new IdentityHashMap<>());

  private Planner(Graph graph, LinearLayers linearLayers, Folding folding) {
    this.graph = graph;
    this.linearLayers = linearLayers;
    this.folding = folding;
    this.types = folding.types();
  }

  /**
   * Plans a graph.
   *
   * @param shapes of all inputs
   * @return nothing if some shape follows from data, so that only the interpreter can run the graph
   */
  static Optional<Plan> plan(Graph graph, Map<String, Shape> shapes, LinearLayers linearLayers) {
    return Folding.of(graph, shapes)
        .map(folding -> new Planner(graph, linearLayers, folding).plan(node -> false));
  }

  /**
   * Plans a decoder.
   *
   * @param cache of its sequences
   * @param longest tokens of a sequence at most
   */
  static Plan plan(
      Graph graph,
      Map<String, Shape> shapes,
      LinearLayers linearLayers,
      KvCache cache,
      int longest) {
    Map<String, ValueType> types = ShapeInference.infer(graph, shapes, Operators::find);
    Planner planner = new Planner(graph, linearLayers, new Folding(graph, types));
    return planner.plan(new DecoderRules(planner, cache, longest)::plan);
  }

  /**
   * Plans.
   *
   * @param further rules for nodes, asked first
   */
  private Plan plan(Predicate<Node> further) {
    List<Slot> inputs = new ArrayList<>();
    for (ValueInfo input : graph.inputs()) {
      inputs.add(define(input.name(), Layout.ROWS));
    }
    PanelRules rules = new PanelRules(this);
    ImageRules images = new ImageRules(this);
    PlaneRules planes = new PlaneRules(this);
    CodeRules codes = new CodeRules(this);
    ElementRules elements = new ElementRules(this);
    for (Node node : graph.nodes()) {
      if (!further.test(node)
          && !folding.fold(node)
          && !alias(node)
          && !rules.plan(node)
          && !images.plan(node)
          && !planes.plan(node)
          && !codes.plan(node)
          && !elements.plan(node)) {
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
        stepsUpTo,
        linearKernels,
        linearSteps);
  }

  private Plan.Output output(ValueInfo info) {
    Optional<Tensor> constant = constant(info.name());
    if (constant.isPresent()) {
      return new Plan.Output(info, null, constant.get());
    }
    if (!slots.containsKey(info.name())) {
      return new Plan.Output(info, null, unpacked(info.name()));
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
    return folding.constant(value);
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

  /** A constant that is stored compressed. */
  private Tensor unpacked(String value) {
    return graph.constants().get(value).toTensor();
  }

  /** A constant put in the arena for the whole life of a workspace. */
  private Slot resident(String value, Layout layout) {
    // a matrix that became no layer, for nothing told its operand's axes before the shapes did
    Tensor tensor = constant(value).orElseGet(() -> unpacked(value)).contiguous();
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
    stepsUpTo.add(steps.size());
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
