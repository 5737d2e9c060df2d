package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Recurrence;
import dev.filigree.cuda.operation.Recurrence.Kind;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.plan.LayerPlan;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** How a plan runs recurrent layers: those of their usual activations, over whole sequences. */
final class RecurrentRules {
  private static final int BIAS = 3;
  private static final int LENGTHS = 4;
  private static final int FIRST_H = 5;
  private static final int FIRST_C = 6;
  private static final int PEEPHOLES = 7;

  private final DevicePlanner planner;
  private final DeviceState device;
  private final OperationKernels kernels;

  RecurrentRules(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
    this.kernels = device.kernels();
  }

  private static Optional<Kind> kind(Node node) {
    return switch (node.type()) {
      case "RNN" -> Optional.of(Kind.RNN);
      case "GRU" -> Optional.of(Kind.GRU);
      case "LSTM" -> Optional.of(Kind.LSTM);
      default -> Optional.empty();
    };
  }

  /** Plans a node; false if it is none of these, or has what the kernels do not know. */
  boolean plan(Node node) {
    Optional<Kind> kind = kind(node);
    if (kind.isEmpty() || !isPlain(node, kind.get())) {
      return false;
    }
    Shape x = planner.type(node.inputs().getFirst()).shape();
    Shape r = planner.type(node.inputs().get(2)).shape();
    int directions = Math.toIntExact(r.extent(0));
    int hidden = Math.toIntExact(r.extent(2));
    Recurrence.Form form =
        new Recurrence.Form(
            kind.get(),
            Math.toIntExact(x.extent(0)),
            Math.toIntExact(x.extent(1)),
            directions,
            Math.toIntExact(x.extent(2)),
            hidden,
            node.textAttribute("direction", "forward").equals("reverse"),
            node.intAttribute("linear_before_reset", 0) != 0);
    DeviceTensor in = planner.use(node.inputs().get(0), DType.F16);
    DeviceTensor w = planner.use(node.inputs().get(1), DType.F16);
    DeviceTensor recurrent = planner.use(node.inputs().get(2), DType.F16);
    long bias =
        node.input(BIAS)
            .map(name -> device.constants().vector(name, planner.constant(name).orElseThrow()))
            .orElse(0L);
    DeviceTensor firstH = state(node, FIRST_H);
    DeviceTensor firstC = kind.get() == Kind.LSTM ? state(node, FIRST_C) : null;
    DeviceTensor y = result(node, 0, DType.F16);
    DeviceTensor lastH = result(node, 1, DType.F32);
    DeviceTensor lastC = result(node, 2, DType.F32);
    planner.launch(
        arena ->
            Recurrence.run(
                kernels,
                form,
                in.on(arena),
                new Recurrence.Weights(w.on(arena), recurrent.on(arena), bias),
                new Recurrence.States(
                    address(firstH, arena),
                    address(firstC, arena),
                    address(lastH, arena),
                    address(lastC, arena),
                    Rows.pitch(DType.F32, hidden)),
                y == null ? null : y.on(arena)));
    String named =
        node.outputs().stream().filter(name -> !name.isEmpty()).findFirst().orElseThrow();
    planner.explain(
        new LayerPlan(
            node.name(),
            node.type(),
            planner.type(named).toString(),
            "recurrent_" + node.type().toLowerCase(Locale.ROOT),
            "a block for each sequence and direction, states in f32",
            0,
            List.of()));
    return true;
  }

  private static long address(DeviceTensor tensor, long arena) {
    return tensor == null ? 0 : tensor.address(arena);
  }

  private DeviceTensor state(Node node, int input) {
    return node.input(input).map(name -> planner.use(name, DType.F32)).orElse(null);
  }

  private DeviceTensor result(Node node, int output, DType dtype) {
    boolean wanted = node.outputs().size() > output && !node.outputs().get(output).isEmpty();
    return wanted ? planner.define(node.outputs().get(output), dtype) : null;
  }

  /** Whether the kernels have all of it: no lengths, peepholes, limits or other activations. */
  private boolean isPlain(Node node, Kind kind) {
    ValueType x = planner.type(node.inputs().getFirst());
    long hidden = planner.type(node.inputs().get(2)).shape().extent(2);
    boolean results = node.outputs().stream().anyMatch(name -> !name.isEmpty());
    return x.dtype() == DType.F32
        && x.shape().elements() > 0
        && hidden > 0
        && results
        && Recurrence.supports(kernels, kind, x.shape().extent(2), hidden)
        && node.input(LENGTHS).isEmpty()
        && (kind != Kind.LSTM || node.input(PEEPHOLES).isEmpty())
        && node.input(BIAS).map(name -> planner.constant(name).isPresent()).orElse(true)
        && node.intAttribute("layout", 0) == 0
        && node.intAttribute("input_forget", 0) == 0
        && node.floatAttribute("clip", 0) <= 0
        && isUsual(node, kind);
  }

  private static boolean isUsual(Node node, Kind kind) {
    if (!(node.attributes().get("activations") instanceof Attribute.Texts(List<String> names))) {
      return true;
    }
    List<String> usual =
        switch (kind) {
          case RNN -> List.of("tanh");
          case GRU -> List.of("sigmoid", "tanh");
          case LSTM -> List.of("sigmoid", "tanh", "tanh");
        };
    for (int i = 0; i < names.size(); i++) {
      if (!names.get(i).equalsIgnoreCase(usual.get(i % usual.size()))) {
        return false;
      }
    }
    return true;
  }
}
