package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Recurrence;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.recurrent.CellActivation;
import dev.filigree.kernel.recurrent.Recurrent;
import dev.filigree.plan.LayerPlan;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** How a plan runs recurrent layers. */
final class RecurrentRules {
  private static final int BIAS = 3;
  private static final int LENGTHS = 4;
  private static final int FIRST_H = 5;
  private static final int FIRST_C = 6;
  private static final int PEEPHOLES = 7;

  /** Functions of a direction, of which an RNN has one and a GRU two, and what is kept of each. */
  private static final int FUNCTIONS = 3;

  private static final int OF_FUNCTION = 3;

  private final DevicePlanner planner;
  private final DeviceState device;
  private final OperationKernels kernels;

  RecurrentRules(DevicePlanner planner, DeviceState device) {
    this.planner = planner;
    this.device = device;
    this.kernels = device.kernels();
  }

  private static Optional<Recurrent> kind(Node node) {
    return switch (node.type()) {
      case "RNN" -> Optional.of(Recurrent.RNN);
      case "GRU" -> Optional.of(Recurrent.GRU);
      case "LSTM" -> Optional.of(Recurrent.LSTM);
      default -> Optional.empty();
    };
  }

  /** Plans a node; false if it is none of these, or too wide for the kernels. */
  boolean plan(Node node) {
    Optional<Recurrent> kind = kind(node);
    if (kind.isEmpty() || !isKnown(node, kind.get())) {
      return false;
    }
    Recurrence.Form form = form(node, kind.get());
    DeviceTensor in = planner.use(node.inputs().get(0), DType.F16);
    DeviceTensor w = planner.use(node.inputs().get(1), DType.F16);
    DeviceTensor recurrent = planner.use(node.inputs().get(2), DType.F16);
    DeviceTensor bias = optional(node, BIAS, DType.F32);
    DeviceTensor lengths = optional(node, LENGTHS, DType.I32);
    DeviceTensor firstH = optional(node, FIRST_H, DType.F32);
    boolean isLstm = kind.get() == Recurrent.LSTM;
    DeviceTensor firstC = isLstm ? optional(node, FIRST_C, DType.F32) : null;
    DeviceTensor peepholes = isLstm ? optional(node, PEEPHOLES, DType.F32) : null;
    DeviceTensor activations = activations(node, kind.get(), form.directions());
    DeviceTensor y = result(node, 0, DType.F16);
    DeviceTensor lastH = result(node, 1, DType.F32);
    DeviceTensor lastC = result(node, 2, DType.F32);
    long fault =
        lengths == null
            ? -1
            : planner.fault(
                node,
                "has a length that is none of a sequence of " + form.steps() + " steps",
                "pass lengths from 0 to " + form.steps());
    planner.launch(
        arena ->
            Recurrence.run(
                kernels,
                form,
                in.on(arena),
                lengths == null
                    ? Recurrence.Lengths.ALL
                    : new Recurrence.Lengths(lengths.address(arena), arena + fault),
                new Recurrence.Weights(
                    w.on(arena),
                    recurrent.on(arena),
                    rows(bias, arena),
                    rows(peepholes, arena),
                    activations.on(arena)),
                new Recurrence.States(
                    address(firstH, arena),
                    address(firstC, arena),
                    address(lastH, arena),
                    address(lastC, arena),
                    Rows.pitch(DType.F32, form.hidden())),
                rows(y, arena)));
    explain(node);
    return true;
  }

  private Recurrence.Form form(Node node, Recurrent kind) {
    boolean batchFirst = node.intAttribute("layout", 0) != 0;
    Shape x = planner.type(node.inputs().getFirst()).shape();
    Shape r = planner.type(node.inputs().get(2)).shape();
    float clip = node.floatAttribute("clip", 0);
    return new Recurrence.Form(
        kind,
        Math.toIntExact(x.extent(batchFirst ? 1 : 0)),
        Math.toIntExact(x.extent(batchFirst ? 0 : 1)),
        Math.toIntExact(r.extent(0)),
        Math.toIntExact(x.extent(2)),
        Math.toIntExact(r.extent(2)),
        node.textAttribute("direction", "forward").equals("reverse"),
        node.intAttribute("linear_before_reset", 0) != 0,
        node.intAttribute("input_forget", 0) != 0,
        batchFirst,
        clip > 0 ? clip : Float.POSITIVE_INFINITY);
  }

  /** Rows of code, alpha and beta. */
  private DeviceTensor activations(Node node, Recurrent kind, int directions) {
    float[] values = new float[directions * FUNCTIONS * OF_FUNCTION];
    StringBuilder named = new StringBuilder("activations");
    for (int direction = 0; direction < directions; direction++) {
      List<CellActivation> functions = CellActivation.of(node, kind, direction);
      named.append(functions);
      for (int i = 0; i < functions.size(); i++) {
        int at = (direction * FUNCTIONS + i) * OF_FUNCTION;
        values[at] = functions.get(i).function().ordinal();
        values[at + 1] = functions.get(i).alpha();
        values[at + 2] = functions.get(i).beta();
      }
    }
    Tensor tensor = Tensor.of(values, (long) directions * FUNCTIONS, OF_FUNCTION);
    return device.constants().tensor(named.toString(), tensor, DType.F32);
  }

  private void explain(Node node) {
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
  }

  private static long address(DeviceTensor tensor, long arena) {
    return tensor == null ? 0 : tensor.address(arena);
  }

  private static Rows rows(DeviceTensor tensor, long arena) {
    return tensor == null ? null : tensor.on(arena);
  }

  private DeviceTensor optional(Node node, int input, DType dtype) {
    return node.input(input).map(name -> planner.use(name, dtype)).orElse(null);
  }

  private DeviceTensor result(Node node, int output, DType dtype) {
    boolean wanted = node.outputs().size() > output && !node.outputs().get(output).isEmpty();
    return wanted ? planner.define(node.outputs().get(output), dtype) : null;
  }

  /** Whether there is something to compute, in floats that f16 stands for, and room for it. */
  private boolean isKnown(Node node, Recurrent kind) {
    ValueType x = planner.type(node.inputs().getFirst());
    long hidden = planner.type(node.inputs().get(2)).shape().extent(2);
    boolean results = node.outputs().stream().anyMatch(name -> !name.isEmpty());
    return x.dtype() != DType.F64
        && x.shape().elements() > 0
        && hidden > 0
        && results
        && Recurrence.supports(kernels, kind, x.shape().extent(2), hidden);
  }
}
