package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeInference;
import dev.filigree.graph.ShapeRule;
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
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
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
  private static final String NO_KERNEL = "no faster kernel for this operator on these operands";

  private final Graph graph;
  private final LinearLayers linearLayers;
  private final Map<String, ValueType> types;
  private final Folding folding;
  private final Values values;

  /** What of the tokens is computed, or null for all. */
  private final Ragged ragged;

  private final List<Step> steps = new ArrayList<>();
  private final List<LayerPlan> layers = new ArrayList<>();

  /** For each layer, the number of steps up to its last. */
  private final List<Integer> stepsUpTo = new ArrayList<>();

  private final List<WarmUp.Sized> linearSteps = new ArrayList<>();
  private final Set<PackedLinear> linearKernels =
      Collections.newSetFromMap(new IdentityHashMap<>());

  private final Former former;

  private Planner(Former former, LinearLayers linearLayers, Folding folding, Ragged ragged) {
    this.former = former;
    this.graph = former.graph();
    this.linearLayers = linearLayers;
    this.folding = folding;
    this.types = folding.types();
    this.ragged = ragged;
    this.values = new Values(former, folding, linearLayers.kernels(), steps, ragged);
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
    Plan plan = new Planner(former, linearLayers, folding.get(), null).plan(node -> false);
    if (plan == null) {
      // buffers move: only plans whose buffers lie alike can share steps
      former.forget(choices);
      Folding again = former.folding(shapes).orElseThrow();
      plan = new Planner(former, linearLayers, again, null).plan(node -> false);
    }
    return Optional.of(plan);
  }

  /**
   * Plans a graph for tokens that are no padding.
   *
   * @param bytes that the session may take for activations
   * @return nothing if something in the graph computes a token from others in a way that cannot
   *     leave any out, or some shape follows from data
   */
  static Optional<Plan> plan(
      Graph graph,
      long bytes,
      Map<String, Shape> shapes,
      LinearLayers linearLayers,
      Ragged ragged) {
    // what other plans hold is for panels of other tokens
    Former former = new Former(graph, bytes);
    former.forget(linearLayers.version());
    return former
        .folding(shapes)
        .filter(folding -> !ragged.isAmbiguous(graph, shapes, folding.types()))
        .flatMap(
            folding ->
                Optional.ofNullable(
                    new Planner(former, linearLayers, folding, ragged).plan(node -> false)));
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
        new Planner(
            new Former(graph, Long.MAX_VALUE), linearLayers, new Folding(graph, types), null);
    return planner.plan(new DecoderRules(planner, cache, longest)::plan);
  }

  /**
   * Plans.
   *
   * @param further rules for nodes, asked first
   * @return null if something of a plan was carried over whose buffers lie elsewhere, or tokens
   *     cannot be left out
   */
  private Plan plan(Predicate<Node> further) {
    List<Slot> inputs = new ArrayList<>();
    for (ValueInfo input : graph.inputs()) {
      inputs.add(define(input.name(), Layout.ROWS));
    }
    PanelRules rules = new PanelRules(this);
    ArithmeticRules arithmetic = new ArithmeticRules(this);
    ImageRules images = new ImageRules(this);
    PlaneRules planes = new PlaneRules(this);
    CodeRules codes = new CodeRules(this);
    ElementRules elements = new ElementRules(this);
    ReductionRules reductions = new ReductionRules(this);
    MoveRules moves = new MoveRules(this);
    RecurrentRules recurrent = new RecurrentRules(this, rules);
    for (Node node : graph.nodes()) {
      values.flush();
      if (further.test(node) || folding.fold(node) || carry(node)) {
        continue;
      }
      if (!alias(node)
          && !rules.plan(node)
          && !arithmetic.sameShape(node)
          && !images.plan(node)
          && !planes.plan(node)
          && !codes.plan(node)
          && !elements.plan(node)
          && !reductions.plan(node)
          && !moves.plan(node)
          && !recurrent.plan(node)
          && !arithmetic.combine(node)) {
        reference(node, recurrent.refusal(node).orElse(NO_KERNEL));
      }
      keep(node);
    }
    List<Plan.Output> outputs = new ArrayList<>();
    for (ValueInfo info : graph.outputs()) {
      outputs.add(output(info));
    }
    OptionalLong bytes = values.arrange();
    if (bytes.isEmpty() || !values.isRagged()) {
      return null;
    }
    return new Plan(
        linearLayers.kernels(),
        inputs,
        outputs,
        values.residents(),
        steps,
        values.chains(),
        bytes.getAsLong(),
        ragged,
        layers,
        stepsUpTo,
        linearKernels,
        linearSteps);
  }

  /** Does for a node what was done in the last plan, if nothing has changed that it depends on. */
  private boolean carry(Node node) {
    Carried now = values.record(node, layers.size());
    Carried last = former.of(node);
    if (last == null || !last.isFor(now)) {
      return false;
    }
    int base = steps.size();
    values.carry(last);
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
    Carried recorded = values.recorded();
    if (recorded.isSpoiled()) {
      former.drop(node);
    } else {
      recorded.end(steps, layers, stepsUpTo);
      former.keep(node, recorded);
    }
  }

  private Plan.Output output(ValueInfo info) {
    Optional<Tensor> constant = constant(info.name());
    if (constant.isPresent()) {
      return new Plan.Output(info, null, constant.get());
    }
    if (ragged != null && values.isInPanels(info.name())) {
      use(info.name(), Layout.ROWS);
    }
    return values
        .last(info.name())
        .map(slot -> new Plan.Output(info, slot, null))
        .orElseGet(() -> new Plan.Output(info, null, values.unpacked(info.name())));
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

  /** Tokens of a matrix that are computed. */
  int tokens(String value) {
    Shape shape = types.get(value).shape();
    return ragged != null && ragged.isOver(shape)
        ? ragged.tokens()
        : Math.toIntExact(shape.elements() / shape.extent(-1));
  }

  /** Whether attention goes from each token of a row that is computed in part to those of it. */
  boolean isOfRows(int batch, int queries, int keys) {
    return batch == ragged.rows() && queries == ragged.longest() && keys == ragged.longest();
  }

  /** See {@link Values#refuseRagged}. */
  void refuseRagged() {
    values.refuseRagged();
  }

  /** Refuses to leave tokens out, if this plan would. */
  void refuseLeftOut() {
    if (ragged != null) {
      refuseRagged();
    }
  }

  /** A constant of the graph or of this plan, in plain form. */
  Optional<Tensor> constant(String value) {
    return folding.constant(value);
  }

  /** What is known of a node's inputs, as operators ask for it. */
  ShapeRule.Inputs known(Node node) {
    return new ShapeInference.Known(node, graph.opset(), types);
  }

  /** Whether a value lies in panels already. */
  boolean isInPanels(String value) {
    return values.isInPanels(value);
  }

  /** Memory for a value that the next step makes. */
  Slot define(String value, Layout layout) {
    return values.define(value, layout);
  }

  /** Keeps a slot without a name in the graph until the step that is added next. */
  void use(Slot slot) {
    values.use(slot);
  }

  /** Memory for a value without a name in the graph that the next step makes. */
  Slot place(ValueType type, Layout layout) {
    return values.place(type, layout);
  }

  /** Memory for a value in a form of its own that the next step makes. */
  Slot place(long bytes, Panels panels) {
    return values.place(bytes, panels);
  }

  /** Memory that nothing but the next step needs. */
  Slot room(long bytes, Panels panels) {
    return values.room(bytes, panels);
  }

  /** See {@link Values#use(String, Layout)}. */
  Slot use(String value, Layout layout) {
    return values.use(value, layout);
  }

  /** Adds a step that reads all that was used since the last one. */
  void add(Step step) {
    values.flush();
    steps.add(step);
    values.check(step);
  }

  /** Notes that a linear layer of the plan runs by a kernel. */
  void use(PackedLinear kernel, LinearLayers.Layer layer, int tokens) {
    WarmUp.Sized sized = new WarmUp.Sized(layer, tokens);
    linearKernels.add(kernel);
    linearSteps.add(sized);
    Carried recorded = values.recording();
    if (recorded != null) {
      recorded.linear(new Carried.LinearUse(kernel, sized));
    }
  }

  void explain(LayerPlan layer) {
    layers.add(layer);
    stepsUpTo.add(steps.size());
  }

  /** Explains a node that runs by a kernel of the set in use. */
  void explain(Node node, Layout layout, String reason) {
    explain(
        new LayerPlan(
            node.name(),
            node.type(),
            types.get(node.output()) + (layout == Layout.PANELS ? " in panels" : ""),
            linearLayers.kernels().name(),
            reason,
            0,
            List.of()));
  }

  /** Whether a value is an f32 tensor that can be seen as tokens by features. */
  boolean isMatrix(String value) {
    ValueType type = types.get(value);
    return type.dtype() == DType.F32 && type.rank() > 0 && type.shape().elements() > 0;
  }

  /** Whether a value has elements that only a run knows. */
  boolean isMade(String value) {
    return types.get(value).shape().elements() > 0 && constant(value).isEmpty();
  }

  /** Whether a value has f32 elements that only a run knows. */
  boolean isMadeOfFloats(String value) {
    return types.get(value).dtype() == DType.F32 && isMade(value);
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
    if (ragged != null && slot.isRagged() && !ragged.isOver(shape)) {
      refuseRagged();
    }
    values.put(node.output(), layout, slot);
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

  private void reference(Node node, String reason) {
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
            reason,
            0,
            List.of()));
  }

  /** A row-major operand of a kernel that takes tensors. */
  Function<MemorySegment, Tensor> operand(String value) {
    if (values.isPlaced(value)) {
      Slot slot = use(value, Layout.ROWS);
      return slot::tensor;
    }
    Tensor tensor = constant(value).orElseGet(() -> values.unpacked(value)).contiguous();
    return memory -> tensor;
  }
}
