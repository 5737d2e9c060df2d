package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.kernel.BroadcastRows;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.Kernels;
import java.util.Map;

/** Arithmetic on two values, and how a plan runs it. */
final class ArithmeticRules {
  private static final Map<String, Arithmetic> ARITHMETIC =
      Map.of(
          "Add", Arithmetic.ADD,
          "Sub", Arithmetic.SUBTRACT,
          "Mul", Arithmetic.MULTIPLY,
          "Div", Arithmetic.DIVIDE);

  /** Elements of a constant up to which it is copied into the memory of a run. */
  static final long MAX_RESIDENT = 1 << 16;

  private final Planner planner;
  private final Kernels kernels;

  ArithmeticRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a sum or product of two values of one shape; false if it has no such form. */
  boolean sameShape(Node node) {
    if (!node.is("Add") && !node.is("Mul")) {
      return false;
    }
    String a = node.inputs().get(0);
    String b = node.inputs().get(1);
    if (!planner.isMatrix(a)
        || !planner.isMatrix(b)
        || planner.constant(a).isPresent()
        || planner.constant(b).isPresent()
        || !planner.type(a).dims().equals(planner.type(b).dims())) {
      return false;
    }
    Layout layout = planner.isInPanels(a) || planner.isInPanels(b) ? Layout.PANELS : Layout.ROWS;
    Slot left = planner.use(a, layout);
    Slot right = planner.use(b, layout);
    Slot out = planner.define(node.output(), layout);
    planner.add(new PanelSteps.Combine(kernels, ARITHMETIC.get(node.type()), left, right, out));
    planner.explain(node, layout, "operands of one shape");
    return true;
  }

  /** Plans arithmetic on operands that broadcast; false if it has no such form. */
  boolean combine(Node node) {
    Arithmetic operation = ARITHMETIC.get(node.type());
    if (operation == null || !node.domain().equals(Node.ONNX) || node.inputs().size() != 2) {
      return false;
    }
    String a = node.inputs().get(0);
    String b = node.inputs().get(1);
    if (!planner.isMatrix(node.output())
        || !isOperand(a)
        || !isOperand(b)
        || isPlaced(node)
        || isLarge(a) && isLarge(b)) {
      return false;
    }
    Shape left = planner.type(a).shape();
    Shape right = planner.type(b).shape();
    Shape shape = planner.type(node.output()).shape();
    if (BroadcastRows.of(shape, left, right).outer().elements() > ArithmeticStep.MAX_ROWS) {
      return false;
    }
    Slot x = isLarge(a) ? null : planner.use(a, Layout.ROWS);
    Slot y = isLarge(b) ? null : planner.use(b, Layout.ROWS);
    Tensor kept =
        x != null && y != null
            ? null
            : planner.constant(x == null ? a : b).orElseThrow().contiguous();
    Slot out = planner.define(node.output(), Layout.ROWS);
    planner.add(new ArithmeticStep(kernels, operation, x, y, kept, out));
    planner.explain(node, Layout.ROWS, "row by row");
    return true;
  }

  /** Whether an operand may be put elsewhere than at the last axis, as before operator set 7. */
  private boolean isPlaced(Node node) {
    return node.attributes().containsKey("axis");
  }

  /** Whether a value is one that steps can read. */
  private boolean isOperand(String value) {
    return planner.type(value).dtype() == DType.F32;
  }

  /** Whether a value is a constant that stays where it is. */
  private boolean isLarge(String value) {
    return planner.constant(value).isPresent()
        && planner.type(value).shape().elements() > MAX_RESIDENT;
  }
}
