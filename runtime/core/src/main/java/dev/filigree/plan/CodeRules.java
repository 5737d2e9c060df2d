package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.fused.CodeOperation;
import dev.filigree.kernel.fused.DynamicCodes;
import dev.filigree.spi.Kernels;
import java.util.Arrays;
import java.util.Optional;

/** How a plan runs what is done to codes of 8 bits element by element. */
final class CodeRules {
  private final Planner planner;
  private final Kernels kernels;

  CodeRules(Planner planner) {
    this.planner = planner;
    this.kernels = planner.linearLayers().kernels();
  }

  /** Plans a node; false if it has no such form. */
  boolean plan(Node node) {
    if (node.is("QuantizeLinear") || node.is("DequantizeLinear")) {
      return convert(node) || convertLines(node);
    }
    if (!node.domain().equals(Node.FUSED)) {
      return false;
    }
    if (node.type().equals(DynamicCodes.TYPE)) {
      return dynamic(node);
    }
    for (CodeOperation operation : CodeOperation.values()) {
      if (operation.type().equals(node.type())) {
        return node.inputs().stream().allMatch(planner::isMade) && plan(node, operation);
      }
    }
    return false;
  }

  private boolean plan(Node node, CodeOperation operation) {
    return switch (operation) {
      case ROUND -> round(node);
      case REQUANTIZE -> requantize(node);
      case ADD -> add(node);
      case MULTIPLY -> multiply(node);
      case MEAN -> mean(node);
    };
  }

  private boolean convert(Node node) {
    String x = node.inputs().getFirst();
    boolean reads = node.is("DequantizeLinear");
    DType from = planner.type(x).dtype();
    DType to = planner.type(node.output()).dtype();
    Optional<Tensor> scale = single(node.inputs().get(1));
    Optional<Tensor> zero = node.input(2).flatMap(this::single);
    DType codes = reads ? from : to;
    boolean fits =
        planner.isMade(x)
            && (codes == DType.I8 || codes == DType.U8)
            && (reads ? to : from) == DType.F32
            && scale.filter(s -> s.dtype() == DType.F32).isPresent()
            && zero.isPresent() == node.input(2).isPresent();
    if (!fits) {
      return false;
    }
    Slot in = planner.use(x, Layout.ROWS);
    Slot out = planner.define(node.output(), Layout.ROWS);
    planner.add(
        new CodeSteps.Convert(
            kernels,
            in,
            out,
            reads,
            codes == DType.I8,
            zero.map(z -> (int) z.getLong(0)).orElse(0),
            (float) scale.get().getDouble(0)));
    planner.explain(node, Layout.ROWS, "element by element");
    return true;
  }

  /** Conversions of codes of other widths, or with scales by index of an axis. */
  private boolean convertLines(Node node) {
    String x = node.inputs().getFirst();
    boolean reads = node.is("DequantizeLinear");
    DType from = planner.type(x).dtype();
    DType to = planner.type(node.output()).dtype();
    DType codes = reads ? from : to;
    Optional<Tensor> scales = vector(node.inputs().get(1)).filter(s -> s.dtype() == DType.F32);
    Optional<Tensor> zeros = node.input(2).flatMap(this::vector);
    if (!planner.isMade(x)
        || (reads ? to : from) != DType.F32
        || !CodeLines.CODES.contains(codes)
        || scales.isEmpty()
        || node.input(2).isPresent() && zeros.isEmpty()) {
      return false;
    }
    Shape shape = planner.type(x).shape();
    int lines = Math.toIntExact(scales.get().elements());
    long inner = shape.elements();
    if (lines > 1) {
      int axis = Axes.normalise(node, node.intAttribute("axis", 1), shape.rank());
      inner = Elements.product(shape, axis + 1, shape.rank());
    }
    float[] scale = scales.get().toFloats();
    int[] zero = new int[lines];
    zeros.ifPresent(
        given -> Arrays.setAll(zero, i -> (int) given.getLong(given.elements() == 1 ? 0 : i)));
    Slot in = planner.use(x, Layout.ROWS);
    Slot out = planner.define(node.output(), Layout.ROWS);
    planner.add(new CodeLines(in, out, reads, codes, scale, zero, inner));
    planner.explain(node, Layout.ROWS, lines > 1 ? "a scale for each index" : "element by element");
    return true;
  }

  private Optional<Tensor> vector(String value) {
    return planner.constant(value).filter(tensor -> tensor.shape().rank() <= 1);
  }

  private Optional<Tensor> single(String value) {
    return planner.constant(value).filter(tensor -> tensor.elements() == 1);
  }

  private boolean dynamic(Node node) {
    if (!planner.isMade(node.inputs().getFirst())) {
      return false;
    }
    Slot x = planner.use(node.inputs().getFirst(), Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    Slot scale = planner.define(node.outputs().get(1), Layout.ROWS);
    planner.add(new CodeSteps.Dynamic(kernels, x, y, scale));
    planner.explain(node, Layout.ROWS, "over its own range");
    return true;
  }

  private boolean round(Node node) {
    String input = node.inputs().getFirst();
    Layout layout = planner.isInPanels(input) ? Layout.PANELS : Layout.ROWS;
    Slot x = planner.use(input, layout);
    Slot y = planner.define(node.output(), layout);
    planner.add(
        new CodeSteps.Round(
            kernels, x, y, CodeOperation.factors(node)[0], -(int) CodeOperation.low(node)));
    planner.explain(node, Layout.ROWS, "element by element");
    return true;
  }

  private boolean requantize(Node node) {
    String input = node.inputs().getFirst();
    float[] factors = CodeOperation.factors(node);
    Layout layout = factors.length == 1 && planner.isInPanels(input) ? Layout.PANELS : Layout.ROWS;
    Slot x = planner.use(input, layout);
    Slot y = planner.define(node.output(), layout);
    planner.add(
        new CodeSteps.Requantize(
            kernels, x, y, factors, CodeOperation.low(node), CodeOperation.high(node)));
    planner.explain(
        node,
        Layout.ROWS,
        factors.length == 1 ? "element by element" : "a factor for each channel");
    return true;
  }

  private boolean add(Node node) {
    Slot a = planner.use(node.inputs().get(0), Layout.ROWS);
    Slot b = planner.use(node.inputs().get(1), Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    planner.add(new CodeSteps.Add(kernels, a, b, y, CodeOperation.sum(node)));
    planner.explain(node, Layout.ROWS, "operands of one shape");
    return true;
  }

  private boolean multiply(Node node) {
    ValueType y = planner.type(node.output());
    String a = node.inputs().get(0);
    String b = node.inputs().get(1);
    if (!planner.type(a).dims().equals(y.dims())) {
      a = node.inputs().get(1);
      b = node.inputs().get(0);
    }
    boolean alike = planner.type(b).dims().equals(y.dims());
    if (!planner.type(a).dims().equals(y.dims()) || !alike && !isByPlane(b, y)) {
      return false;
    }
    Slot left = planner.use(a, Layout.ROWS);
    Slot right = planner.use(b, Layout.ROWS);
    Slot out = planner.define(node.output(), Layout.ROWS);
    planner.add(new CodeSteps.Multiply(kernels, left, right, out, CodeOperation.product(node)));
    planner.explain(node, Layout.ROWS, alike ? "operands of one shape" : "one code a plane");
    return true;
  }

  /** Whether there is one element for each plane {@code [batch, channels]}. */
  private boolean isByPlane(String value, ValueType y) {
    ValueType type = planner.type(value);
    return y.rank() >= 3
        && type.rank() == y.rank()
        && type.dim(0).equals(y.dim(0))
        && type.dim(1).equals(y.dim(1))
        && type.dims().stream().skip(2).allMatch(dim -> dim.is(1));
  }

  private boolean mean(Node node) {
    Slot x = planner.use(node.inputs().getFirst(), Layout.ROWS);
    Slot y = planner.define(node.output(), Layout.ROWS);
    long pixels = x.shape().elements() / y.shape().elements();
    planner.add(
        new CodeSteps.Mean(
            x,
            y,
            CodeOperation.meanFactor(node, pixels),
            CodeOperation.low(node),
            CodeOperation.high(node)));
    planner.explain(node, Layout.ROWS, "plane by plane");
    return true;
  }
}
