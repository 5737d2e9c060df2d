package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.recurrent.CellActivation;
import dev.filigree.kernel.recurrent.Recurrent;
import dev.filigree.spi.Cell;
import dev.filigree.spi.CellKernel;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.spi.RoundedKernel;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * How a plan runs recurrent layers: the inputs of all steps and directions by one linear layer,
 * then the sequences step by step.
 */
final class RecurrentRules {
  private final Planner planner;
  private final PanelRules panels;
  private final Kernels kernels;

  RecurrentRules(Planner planner, PanelRules panels) {
    this.planner = planner;
    this.panels = panels;
    this.kernels = planner.linearLayers().kernels();
  }

  private static Optional<Recurrent> kind(Node node) {
    if (!node.domain().equals(Node.ONNX)) {
      return Optional.empty();
    }
    return switch (node.type()) {
      case "RNN" -> Optional.of(Recurrent.RNN);
      case "GRU" -> Optional.of(Recurrent.GRU);
      case "LSTM" -> Optional.of(Recurrent.LSTM);
      default -> Optional.empty();
    };
  }

  /** Plans a node; false if it is none of these, or {@link #refusal} tells why not. */
  boolean plan(Node node) {
    Optional<Recurrent> kind = kind(node);
    if (kind.isEmpty()) {
      return false;
    }
    // a state depends on all tokens before it, wherever they lie
    planner.refuseLeftOut();
    if (refusal(node).isPresent()) {
      return false;
    }
    RecurrentWeights.Source source =
        new RecurrentWeights.Source(
            constant(node, 1),
            constant(node, 2),
            constant(node, Recurrent.BIAS),
            kind.get() == Recurrent.LSTM ? constant(node, Recurrent.PEEPHOLES) : null);
    RecurrentWeights weights =
        planner.linearLayers().recurrent(node, source, form(node, kind.get(), source));
    Slot sums = sums(node, weights);
    steps(node, kind.get(), weights, sums);
    return true;
  }

  /** Why a recurrent layer has no faster form; nothing if it has, or the node is none. */
  Optional<String> refusal(Node node) {
    Optional<Recurrent> kind = kind(node);
    if (kind.isEmpty()) {
      return Optional.empty();
    }
    if (!planner.isMadeOfFloats(node.inputs().getFirst())) {
      return Optional.of("its input is no f32 value that a run makes");
    }
    int last = kind.get() == Recurrent.LSTM ? Recurrent.PEEPHOLES : Recurrent.BIAS;
    for (int input : new int[] {1, 2, Recurrent.BIAS, last}) {
      if (node.input(input).isPresent() && constant(node, input) == null) {
        return Optional.of("'" + node.inputs().get(input) + "' is computed while it runs");
      }
    }
    for (int d = 0; d < directions(node); d++) {
      List<CellActivation> activations = CellActivation.of(node, kind.get(), d);
      if (kind(node, kind.get(), activations).isEmpty()) {
        return Optional.of("no faster kernel for the activations " + named(activations));
      }
    }
    return Optional.empty();
  }

  private static String named(List<CellActivation> activations) {
    return String.join(
        ", ", activations.stream().map(activation -> activation.function().name()).toList());
  }

  private int directions(Node node) {
    return Math.toIntExact(planner.type(node.inputs().get(2)).shape().extent(0));
  }

  /** A constant operand; null if it is absent, or no constant. */
  private Tensor constant(Node node, int input) {
    return node.input(input).flatMap(planner::constant).orElse(null);
  }

  private RecurrentWeights.Form form(Node node, Recurrent kind, RecurrentWeights.Source source) {
    List<Cell.Kind> kinds = new ArrayList<>();
    for (int d = 0; d < source.r().shape().extent(0); d++) {
      kinds.add(kind(node, kind, CellActivation.of(node, kind, d)).orElseThrow());
    }
    float clip = node.floatAttribute("clip", 0);
    return new RecurrentWeights.Form(
        kinds,
        clip > 0 ? clip : Float.POSITIVE_INFINITY,
        kind == Recurrent.LSTM && node.intAttribute("input_forget", 0) != 0);
  }

  /** What the kernels call a direction's cell; nothing if they have no such activations. */
  private static Optional<Cell.Kind> kind(
      Node node, Recurrent kind, List<CellActivation> activations) {
    List<CellActivation.Function> functions =
        activations.stream().map(CellActivation::function).toList();
    CellActivation.Function sigmoid = CellActivation.Function.SIGMOID;
    CellActivation.Function tanh = CellActivation.Function.TANH;
    Cell.Kind found =
        switch (kind) {
          case RNN ->
              functions.equals(List.of(tanh))
                  ? Cell.Kind.RNN
                  : functions.equals(List.of(CellActivation.Function.RELU))
                      ? Cell.Kind.RNN_RELU
                      : null;
          case GRU ->
              !functions.equals(List.of(sigmoid, tanh))
                  ? null
                  : node.intAttribute("linear_before_reset", 0) == 0
                      ? Cell.Kind.GRU
                      : Cell.Kind.GRU_LATE;
          case LSTM -> functions.equals(List.of(sigmoid, tanh, tanh)) ? Cell.Kind.LSTM : null;
        };
    return Optional.ofNullable(found);
  }

  /** The share of the inputs in all gates, for all steps, in rows. */
  private Slot sums(Node node, RecurrentWeights weights) {
    String x = node.inputs().getFirst();
    int tokens = planner.tokens(x);
    PanelRules.Picked picked =
        panels.pick(node.name(), weights.inputs(), LinearLayers.Use.VALUES, tokens);
    ValueType type = ValueType.of(DType.F32, Shape.of(tokens, weights.inputs().rows()));
    Slot made =
        switch (picked.kernel()) {
          case LinearKernel kernel -> {
            Slot in = planner.use(x, Layout.PANELS);
            Slot out = planner.place(type, Layout.PANELS);
            planner.add(
                new LinearStep(
                    kernels, kernel, in, out, null, weights.bias(), null, Activation.NONE));
            yield out;
          }
          case RoundedKernel kernel -> {
            Slot codes = panels.encode(x, kernel.code());
            Slot out = planner.place(type, Layout.PANELS);
            planner.add(new RoundedStep(kernel, codes, out, null, weights.bias(), Activation.NONE));
            yield out;
          }
        };
    planner.use(made);
    Slot rows;
    if (tokens == 1) {
      // a panel of one token is a row
      rows = new Slot(made.dtype(), made.shape(), Layout.ROWS, null, made.buffer());
    } else {
      rows = planner.place(type, Layout.ROWS);
      planner.add(new PanelSteps.ToRows(kernels, made, rows));
    }
    planner.explain(picked.layer());
    return rows;
  }

  private void steps(Node node, Recurrent kind, RecurrentWeights weights, Slot sums) {
    Shape shape = planner.type(node.inputs().getFirst()).shape();
    boolean batchFirst = node.intAttribute("layout", 0) != 0;
    int batch = Math.toIntExact(shape.extent(batchFirst ? 0 : 1));
    int steps = Math.toIntExact(shape.extent(batchFirst ? 1 : 0));
    boolean isLstm = kind == Recurrent.LSTM;
    planner.use(sums);
    Function<MemorySegment, Tensor> lengths = operand(node, Recurrent.LENGTHS);
    Function<MemorySegment, Tensor> initialH = operand(node, Recurrent.INITIAL_H);
    Function<MemorySegment, Tensor> initialC = isLstm ? operand(node, Recurrent.INITIAL_C) : null;
    long states = 0;
    for (CellKernel cell : weights.cells()) {
      states += RecurrentStep.stateBytes(cell, batch);
    }
    Slot room = planner.room(states, Panels.of(1, 1));
    planner.add(
        new RecurrentStep(
            node,
            weights.cells(),
            node.textAttribute("direction", "forward").equals("reverse"),
            batchFirst,
            steps,
            batch,
            sums,
            lengths,
            initialH,
            initialC,
            room,
            result(node, 0),
            result(node, 1),
            isLstm ? result(node, 2) : null));
    String named =
        node.outputs().stream().filter(output -> !output.isEmpty()).findFirst().orElseThrow();
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            planner.type(named).toString(),
            kernels.name(),
            "inputs of all steps at once, then step by step with vectors along units",
            weights.cells().stream().mapToLong(CellKernel::bytes).sum(),
            List.of()));
  }

  private Function<MemorySegment, Tensor> operand(Node node, int input) {
    return node.input(input).map(planner::operand).orElse(null);
  }

  private Slot result(Node node, int output) {
    boolean wanted = node.outputs().size() > output && !node.outputs().get(output).isEmpty();
    return wanted ? planner.define(node.outputs().get(output), Layout.ROWS) : null;
  }
}
