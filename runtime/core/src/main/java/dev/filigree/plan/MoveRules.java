package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.math.Einsum;
import dev.filigree.kernel.shape.Slice;
import dev.filigree.kernel.shape.Transpose;
import dev.filigree.spi.Arithmetic;
import dev.filigree.spi.Kernels;
import java.util.List;
import java.util.Optional;

/**
 * Operations that move elements, and products that become those of matrices when they have moved.
 */
final class MoveRules {
  private final Planner planner;
  private final Kernels kernels;

  MoveRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a node; false if it has no such form. */
  boolean plan(Node node) {
    if (!node.domain().equals(Node.ONNX)) {
      return false;
    }
    return switch (node.type()) {
      case "Transpose" -> transpose(node);
      case "Slice" -> slice(node);
      case "Expand" -> expand(node);
      case "Einsum" -> node.inputs().size() == 2 && product(node);
      case "Gemm" -> gemm(node);
      default -> false;
    };
  }

  private boolean transpose(Node node) {
    String x = node.inputs().getFirst();
    if (!planner.isMade(x)) {
      return false;
    }
    long[] own = planner.type(x).shape().strides();
    long[] strides = new long[own.length];
    int[] order = Transpose.order(node, own.length);
    for (int axis = 0; axis < strides.length; axis++) {
      strides[axis] = own[order[axis]];
    }
    move(node, 0, strides);
    return true;
  }

  private boolean slice(Node node) {
    String x = node.inputs().getFirst();
    if (!planner.isMade(x) || planner.type(node.output()).shape().elements() == 0) {
      return false;
    }
    long[] strides = planner.type(x).shape().strides();
    long start = 0;
    for (Slice.Range range : Slice.ranges(node, planner.known(node))) {
      start += range.start() * strides[range.axis()];
      strides[range.axis()] *= range.step();
    }
    move(node, start, strides);
    return true;
  }

  private boolean expand(Node node) {
    String x = node.inputs().getFirst();
    Shape to = planner.type(node.output()).shape();
    if (!planner.isMade(x) || to.elements() == 0) {
      return false;
    }
    move(node, 0, Broadcast.strides(planner.type(x).shape(), to));
    return true;
  }

  private void move(Node node, long start, long[] strides) {
    Slot x = planner.use(node.inputs().getFirst(), Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(new MoveStep(x, start, strides, y));
    planner.explain(node, Layout.ROWS, "elements copied in parts");
  }

  /** A sum of products over axes of two operands: a product of matrices for each shared index. */
  private boolean product(Node node) {
    String a = node.inputs().get(0);
    String b = node.inputs().get(1);
    if (!planner.isMatrix(a) || !planner.isMatrix(b)) {
      return false;
    }
    List<ValueType> types = List.of(planner.type(a), planner.type(b));
    Einsum.Equation equation = Einsum.equation(node, types);
    Contraction axes =
        Contraction.of(
            equation.terms(), equation.result(), types.get(0).shape(), types.get(1).shape());
    if (axes == null || planner.type(node.output()).shape().elements() > Integer.MAX_VALUE) {
      return false;
    }
    Slot left = moved(a, axes.leftOrder(), axes.left());
    Slot right = moved(b, axes.rightOrder(), axes.right());
    ValueType product = ValueType.of(types.getFirst().dtype(), axes.product());
    if (axes.isInOrder()) {
      use(left, right);
      Slot y = planner.define(node.output(), Layout.ROWS);
      planner.add(new ProductStep(kernels, left, right, y.as(axes.product())));
    } else {
      use(left, right);
      Slot apart = planner.place(product, Layout.ROWS);
      planner.add(new ProductStep(kernels, left, right, apart));
      planner.use(apart);
      Slot y = planner.define(node.output(), Layout.ROWS);
      planner.add(new MoveStep(apart, 0, axes.resultStrides(), y));
    }
    planner.explain(node, Layout.ROWS, "as products of matrices");
    return true;
  }

  /** A product of two matrices of which none is kept as weights, with a bias or without one. */
  private boolean gemm(Node node) {
    String a = node.inputs().get(0);
    String b = node.inputs().get(1);
    Optional<String> bias = node.input(2);
    boolean plain =
        planner.isMatrix(a)
            && planner.isMatrix(b)
            && node.floatAttribute("alpha", 1) == 1
            && (bias.isEmpty() || node.floatAttribute("beta", 1) == 1 && isSmall(bias.get()));
    if (!plain || planner.type(node.output()).shape().elements() > Integer.MAX_VALUE) {
      return false;
    }
    Slot left = turned(a, node.intAttribute("transA", 0) != 0);
    Slot right = turned(b, node.intAttribute("transB", 0) != 0);
    use(left, right);
    if (bias.isEmpty()) {
      Slot y = planner.define(node.output(), Layout.ROWS);
      planner.add(new ProductStep(kernels, left, right, y));
    } else {
      ValueType type = planner.type(node.output());
      Slot product = planner.place(ValueType.of(type.dtype(), type.shape()), Layout.ROWS);
      planner.add(new ProductStep(kernels, left, right, product));
      planner.use(product);
      Slot added = planner.use(bias.get(), Layout.ROWS);
      Slot y = planner.define(node.output(), Layout.ROWS);
      planner.add(new ArithmeticStep(kernels, Arithmetic.ADD, product, added, null, y));
    }
    planner.explain(node, Layout.ROWS, "both operands as they are");
    return true;
  }

  private boolean isSmall(String bias) {
    return planner.type(bias).dtype() == DType.F32
        && planner.type(bias).shape().elements() <= ArithmeticRules.MAX_RESIDENT;
  }

  private Slot turned(String value, boolean turns) {
    Shape shape = planner.type(value).shape();
    return turns
        ? moved(value, new int[] {1, 0}, Shape.of(shape.extent(1), shape.extent(0)))
        : planner.use(value, Layout.ROWS);
  }

  private void use(Slot left, Slot right) {
    planner.use(left);
    planner.use(right);
  }

  /** An operand with its axes in an order, seen as matrices. */
  private Slot moved(String value, int[] order, Shape as) {
    Slot x = planner.use(value, Layout.ROWS);
    long[] own = x.shape().strides();
    long[] strides = new long[order.length];
    long[] extents = new long[order.length];
    boolean same = true;
    for (int axis = 0; axis < order.length; axis++) {
      strides[axis] = own[order[axis]];
      extents[axis] = x.shape().extent(order[axis]);
      same &= order[axis] == axis;
    }
    if (same) {
      return x.as(as);
    }
    Slot y = planner.place(ValueType.of(x.dtype(), Shape.of(extents)), Layout.ROWS);
    planner.add(new MoveStep(x, 0, strides, y));
    return y.as(as);
  }
}
