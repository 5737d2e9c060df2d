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
import dev.filigree.kernel.shape.Transpose;
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

  private final Former former;

  /** What planning the node at hand does, or null. */
  private Carried recorded;

  /** Whether steps or buffers of the last plan are in this one. */
  private boolean isCarrying;

  private Planner(Former former, LinearLayers linearLayers, Folding folding) {
    this.former = former;
    this.graph = former.graph();
    this.linearLayers = linearLayers;
    this.folding = folding;
    this.types = folding.types();
  }

  /**
   * Plans a graph.
   *
   * @param former with the graph
   * @param shapes of all inputs
   * @return nothing if some shape follows from data, so that only the interpreter can run the graph
   */
  static Optional<Plan> plan(Former former, Map<String, Shape> shapes, LinearLayers linearLayers) {
    int choices = linearLayers.version();
    if (!former.isOf(choices)) {
      former.forget(choices);
    }
    Optional<Folding> folding = former.folding(shapes);
    if (folding.isEmpty()) {
      return Optional.empty();
    }
    Plan plan = new Planner(former, linearLayers, folding.get()).plan(node -> false);
    if (plan == null) {
      // buffers move: only plans whose buffers lie alike can share steps
      former.forget(choices);
      Folding again = former.folding(shapes).orElseThrow();
      plan = new Planner(former, linearLayers, again).plan(node -> false);
    }
    return Optional.of(plan);
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
    Planner planner =
        new Planner(new Former(graph, Long.MAX_VALUE), linearLayers, new Folding(graph, types));
    return planner.plan(new DecoderRules(planner, cache, longest)::plan);
  }

  /**
   * Plans.
   *
   * @param further rules for nodes, asked first
   * @return null if something of a plan was carried over whose buffers lie elsewhere
   */
  private Plan plan(Predicate<Node> further) {
    List<Slot> inputs = new ArrayList<>();
    for (ValueInfo input : graph.inputs()) {
      inputs.add(define(input.name(), Layout.ROWS));
    }
    PanelRules rules = new PanelRules(this);
    ImageRules images = new ImageRules(this);
    PlaneRules planes = new PlaneRules(this);
    for (Node node : graph.nodes()) {
      flush();
      if (further.test(node) || folding.fold(node) || carry(node)) {
        continue;
      }
      if (!alias(node)
          && !rules.plan(node)
          && !images.plan(node)
          && !planes.plan(node)
          && !rules.combine(node)) {
        reference(node);
      }
      keep(node);
    }
    List<Plan.Output> outputs = new ArrayList<>();
    for (ValueInfo info : graph.outputs()) {
      outputs.add(output(info));
    }
    if (isCarrying && !former.placement().keeps(buffers)) {
      return null;
    }
    long bytes = former.placement().place(buffers);
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

  /** Does for a node what was done in the last plan, if nothing has changed that it depends on. */
  private boolean carry(Node node) {
    recorded = new Carried(node, types, folding, slots, steps.size(), layers.size());
    Carried last = former.of(node);
    if (last == null || !last.isFor(recorded)) {
      return false;
    }
    recorded = null;
    isCarrying = true;
    int base = steps.size();
    last.live(base, buffers);
    for (Carried.Put put : last.puts()) {
      put(put.value(), put.layout(), put.slot());
    }
    residents.addAll(last.residents());
    for (Carried.LinearUse use : last.linear()) {
      linearKernels.add(use.kernel());
      linearSteps.add(use.sized());
    }
    steps.addAll(last.steps());
    layers.addAll(last.layers());
    last.stepsUpTo().forEach(step -> stepsUpTo.add(base + step));
    return true;
  }

  /** Remembers what was done for a node. */
  private void keep(Node node) {
    flush();
    if (recorded.isSpoiled()) {
      former.drop(node);
    } else {
      recorded.end(steps, layers, stepsUpTo);
      former.keep(node, recorded);
    }
    recorded = null;
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
    Slot slot = former.place(value, layout, type);
    if (slot == null) {
      slot = newSlot(type, layout);
      former.keep(value, layout, type, slot);
    } else {
      isCarrying = true;
      slot.buffer().restart(steps.size());
    }
    started(slot.buffer());
    put(value, layout, slot);
    return slot;
  }

  private void put(String value, Layout layout, Slot slot) {
    slots.computeIfAbsent(value, name -> new EnumMap<>(Layout.class)).put(layout, slot);
    if (recorded != null) {
      recorded.put(new Carried.Put(value, layout, slot));
    }
  }

  private void started(Buffer buffer) {
    buffers.add(buffer);
    if (recorded != null) {
      recorded.start(buffer, steps.size());
    }
  }

  private void needUntil(Buffer buffer, int step) {
    buffer.needUntil(step);
    if (recorded != null) {
      recorded.need(buffer, step);
    }
  }

  /** Keeps what was used since the last step until the next one. */
  private void flush() {
    for (Buffer buffer : pending) {
      needUntil(buffer, steps.size());
    }
    pending.clear();
  }

  /** Keeps a slot without a name in the graph until the step that is added next. */
  void use(Slot slot) {
    spoil();
    pending.add(slot.buffer());
  }

  /** Notes that what is done for the node cannot be done again: others have a share in it. */
  private void spoil() {
    if (recorded != null) {
      recorded.spoil();
    }
  }

  /** Memory for a value without a name in the graph that the next step makes. */
  Slot place(ValueType type, Layout layout) {
    spoil();
    Slot slot = newSlot(type, layout);
    started(slot.buffer());
    return slot;
  }

  private Slot newSlot(ValueType type, Layout layout) {
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
    return new Slot(type.dtype(), shape, layout, panels, new Buffer(bytes, steps.size()));
  }

  /** Memory for a value in a form of its own that the next step makes. */
  Slot place(long bytes, Panels panels) {
    spoil();
    Buffer buffer = new Buffer(bytes, steps.size());
    started(buffer);
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
    if (slot == null && isOneToken(value)) {
      slot = inOtherLayout(places.values().iterator().next(), layout);
      put(value, layout, slot);
    } else if (slot == null) {
      Slot other = places.values().iterator().next();
      needUntil(other.buffer(), steps.size());
      slot = define(value, layout);
      steps.add(
          layout == Layout.PANELS
              ? new PanelSteps.ToPanels(linearLayers.kernels(), other, slot)
              : new PanelSteps.ToRows(linearLayers.kernels(), other, slot));
    }
    pending.add(slot.buffer());
    return slot;
  }

  /** Whether a value is a single row, which lies in a panel of width 1 as it lies in rows. */
  private boolean isOneToken(String value) {
    ValueType type = types.get(value);
    return type.dtype() == DType.F32
        && type.rank() > 0
        && type.shape().extent(-1) > 0
        && type.shape().elements() == type.shape().extent(-1);
  }

  private Slot inOtherLayout(Slot slot, Layout layout) {
    Panels panels = layout == Layout.PANELS ? Panels.of(1, linearLayers.kernels().lanes()) : null;
    return new Slot(slot.dtype(), slot.shape(), layout, panels, slot.buffer());
  }

  /** A constant that is stored compressed. */
  private Tensor unpacked(String value) {
    return graph.constants().get(value).toTensor();
  }

  /** A constant put in the arena for the whole life of a workspace. */
  private Slot resident(String value, Layout layout) {
    // a matrix that became no layer, for nothing told its operand's axes before the shapes did
    Tensor tensor = constant(value).orElseGet(() -> unpacked(value)).contiguous();
    ValueType type = ValueType.of(tensor);
    // the same object stays where nothing is new, so that what reads it next can tell
    types.merge(value, type, (known, unpacked) -> unpacked.equals(known) ? known : unpacked);
    Slot slot = define(value, Layout.ROWS);
    slot.buffer().needFromStart();
    needUntil(slot.buffer(), Carried.FOREVER);
    Plan.Resident resident = new Plan.Resident(slot, tensor);
    residents.add(resident);
    if (recorded != null) {
      recorded.resident(resident);
    }
    return layout == Layout.ROWS ? slot : use(value, layout);
  }

  /** Adds a step that reads all that was used since the last one. */
  void add(Step step) {
    flush();
    steps.add(step);
  }

  /** Notes that a linear layer of the plan runs by a kernel. */
  void use(PackedLinear kernel, LinearLayers.Layer layer, int tokens) {
    WarmUp.Sized sized = new WarmUp.Sized(layer, tokens);
    linearKernels.add(kernel);
    linearSteps.add(sized);
    if (recorded != null) {
      recorded.linear(new Carried.LinearUse(kernel, sized));
    }
  }

  void explain(LayerPlan layer) {
    layers.add(layer);
    stepsUpTo.add(steps.size());
  }

  /** Lets a node that only sees its input under another shape share the input's memory. */
  private boolean alias(Node node) {
    if (!(Operators.find(node) instanceof View) && !movesNothing(node)) {
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
    put(node.output(), layout, slot);
    return true;
  }

  /** Whether a node exchanges axes of extent 1 only, such as heads and the tokens of one token. */
  private boolean movesNothing(Node node) {
    if (!node.is("Transpose")) {
      return false;
    }
    Shape shape = types.get(node.inputs().getFirst()).shape();
    int last = -1;
    for (int axis : Transpose.order(node, shape.rank())) {
      if (shape.extent(axis) != 1) {
        if (axis < last) {
          return false;
        }
        last = axis;
      }
    }
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
