package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.IntegerProduct;
import dev.filigree.cuda.operation.IntegerProduct.Lines;
import dev.filigree.cuda.operation.IntegerProduct.Results;
import dev.filigree.cuda.operation.LinearQuantization;
import dev.filigree.cuda.operation.MatrixProduct;
import dev.filigree.cuda.operation.OperationKernels;
import dev.filigree.cuda.operation.Reduction;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.window.Conv;
import dev.filigree.kernel.window.Window;
import java.util.Arrays;
import java.util.Optional;

/** How a plan runs operators on integers of eight bits that stand for real numbers. */
final class QuantizedRules {
  /** Where the operands of products of codes are among the inputs; a negative place is for none. */
  private record Places(int a, int scaleA, int zeroA, int b, int scaleB, int zeroB, int bias) {
    static final Places SUMS = new Places(0, -1, 2, 1, -1, 3, -1);
    static final Places CODES = new Places(0, 1, 2, 3, 4, 5, 8);
  }

  private static final int SCALE_Y = 6;
  private static final int ZERO_Y = 7;

  private final DevicePlanner planner;
  private final OperationKernels kernels;

  QuantizedRules(DevicePlanner planner, OperationKernels kernels) {
    this.planner = planner;
    this.kernels = kernels;
  }

  /** Plans a node; false if it is none of these, or of a form that the kernels do not know. */
  boolean plan(Node node) {
    return switch (node.type()) {
      case "QuantizeLinear" -> quantize(node);
      case "DequantizeLinear" -> dequantize(node);
      case "DynamicQuantizeLinear" -> dynamic(node);
      case "ConvInteger" -> convolve(node, Places.SUMS);
      case "QLinearConv" -> convolve(node, Places.CODES);
      case "MatMulInteger" -> multiply(node, Places.SUMS);
      case "QLinearMatMul" -> multiply(node, Places.CODES);
      default -> false;
    };
  }

  private static boolean isByte(DType dtype) {
    return dtype == DType.I8 || dtype == DType.U8;
  }

  private boolean quantize(Node node) {
    ValueType x = planner.type(node.inputs().getFirst());
    if (!x.dtype().isFloating() || !isByte(planner.type(node.output()).dtype()) || !isLine(node)) {
      return false;
    }
    DeviceTensor in = planner.use(node.inputs().getFirst());
    if (in.dtype() == DType.BF16) {
      return false;
    }
    Scales scales = scales(node);
    DeviceTensor y = planner.define(node.output());
    planner.launch(arena -> scales.on(arena).quantize(kernels, in.on(arena), y.on(arena), false));
    planner.explain(node, "quantize_linear_" + in.dtype(), "element by element");
    return true;
  }

  private boolean dequantize(Node node) {
    ValueType x = planner.type(node.inputs().getFirst());
    boolean known = isByte(x.dtype()) || x.dtype() == DType.I32;
    if (!known || planner.type(node.output()).dtype() != DType.F32 || !isLine(node)) {
      return false;
    }
    DeviceTensor in = planner.use(node.inputs().getFirst());
    Scales scales = scales(node);
    DeviceTensor y = planner.define(node.output());
    planner.launch(arena -> scales.on(arena).dequantize(kernels, in.on(arena), y.on(arena)));
    planner.explain(node, "dequantize_linear_" + in.dtype(), "element by element");
    return true;
  }

  /** Whether scales are one, or one for each index of an axis, of a tensor that has elements. */
  private boolean isLine(Node node) {
    ValueType x = planner.type(node.inputs().get(0));
    ValueType scale = planner.type(node.inputs().get(1));
    return x.rank() > 0 && scale.rank() <= 1 && x.shape().elements() > 0;
  }

  /** Scales and zero points on the device, and which element has which. */
  private record Scales(
      DeviceTensor scales, DeviceTensor zeros, int lines, int rowsPerLine, boolean alongColumns) {
    LinearQuantization on(long arena) {
      return new LinearQuantization(
          scales.address(arena),
          zeros == null ? 0 : zeros.address(arena),
          lines,
          rowsPerLine,
          alongColumns);
    }
  }

  private Scales scales(Node node) {
    DeviceTensor scales = planner.use(node.inputs().get(1), DType.F32);
    DeviceTensor zeros = node.input(2).map(zero -> planner.use(zero, DType.I32)).orElse(null);
    int lines = Math.toIntExact(scales.shape().elements());
    if (lines == 1) {
      return new Scales(scales, zeros, 1, 1, false);
    }
    Shape x = planner.type(node.inputs().getFirst()).shape();
    int axis = Axes.normalise(node, node.intAttribute("axis", 1), x.rank());
    int rows = 1;
    for (int inner = axis + 1; inner < x.rank() - 1; inner++) {
      rows = Math.multiplyExact(rows, Math.toIntExact(x.extent(inner)));
    }
    return new Scales(scales, zeros, lines, rows, axis == x.rank() - 1);
  }

  /** The range of all elements, scale and zero point of it, and the codes. */
  private boolean dynamic(Node node) {
    String x = node.inputs().getFirst();
    ValueType type = planner.type(x);
    if (type.rank() == 0 || type.rank() > MovementRules.MOST_AXES || type.shape().elements() == 0) {
      return false;
    }
    DeviceTensor exact = planner.use(x, DType.F32);
    DeviceTensor least = extreme(exact, "ReduceMin");
    planner.keep(exact);
    DeviceTensor greatest = extreme(exact, "ReduceMax");
    planner.keep(least);
    planner.keep(greatest);
    DeviceTensor scale = planner.define(node.outputs().get(1), DType.F32);
    DeviceTensor zero = planner.define(node.outputs().get(2));
    planner.launch(
        arena ->
            LinearQuantization.range(
                kernels,
                least.address(arena),
                greatest.address(arena),
                scale.address(arena),
                zero.address(arena)));
    DeviceTensor zeros = planner.use(node.outputs().get(2), DType.I32);
    planner.keep(scale);
    planner.keep(exact);
    DeviceTensor y = planner.define(node.outputs().get(0));
    planner.launch(
        arena ->
            LinearQuantization.one(scale.address(arena), zeros.address(arena))
                .quantize(kernels, exact.on(arena), y.on(arena), true));
    planner.explain(node, "quantize_linear_f32", "over the range of all elements");
    return true;
  }

  private DeviceTensor extreme(DeviceTensor x, String type) {
    boolean[] folded = new boolean[x.shape().rank()];
    Arrays.fill(folded, true);
    DeviceTensor result = planner.temporary(DType.F32, Shape.of());
    Reduction reduction = Reduction.of(type).orElseThrow();
    planner.launch(
        arena ->
            reduction.fold(kernels, x.view(arena), folded, result.address(arena), result.pitch()));
    return result;
  }

  /** An operand of one number, or of one for each line. */
  private record Line(DeviceTensor tensor) {
    Lines on(long arena) {
      return tensor == null
          ? Lines.NONE
          : new Lines(tensor.address(arena), Math.toIntExact(tensor.shape().elements()));
    }

    long address(long arena) {
      return tensor == null ? 0 : tensor.address(arena);
    }
  }

  private Line line(Node node, int place, DType dtype) {
    Optional<String> name = place < 0 ? Optional.empty() : node.input(place);
    return new Line(name.map(value -> planner.use(value, dtype)).orElse(null));
  }

  /** Scales of both operands and of the result, if it consists of codes. */
  private record Rescaling(Line scaleA, Line scaleB, Line scaleY, Line zeroY) {
    Results on(long arena) {
      return new Results(
          scaleA.on(arena), scaleB.on(arena), scaleY.address(arena), zeroY.address(arena));
    }
  }

  private Rescaling rescaling(Node node, Places places) {
    boolean codes = places.scaleA >= 0;
    return new Rescaling(
        line(node, places.scaleA, DType.F32),
        line(node, places.scaleB, DType.F32),
        line(node, codes ? SCALE_Y : -1, DType.F32),
        line(node, codes ? ZERO_Y : -1, DType.I32));
  }

  private boolean convolve(Node node, Places places) {
    ValueType x = planner.type(node.inputs().get(places.a));
    ValueType w = planner.type(node.inputs().get(places.b));
    Shape y = planner.type(node.output()).shape();
    if (x.rank() < 3
        || x.rank() > 4
        || y.elements() == 0
        || x.shape().elements() == 0
        || !IntegerProduct.fits(w.shape().elements() / w.shape().extent(0))) {
      return false;
    }
    DeviceTensor in = planner.use(node.inputs().get(places.a));
    DeviceTensor weights = planner.use(node.inputs().get(places.b));
    Line zeroX = line(node, places.zeroA, DType.I32);
    Line zeroW = line(node, places.zeroB, DType.I32);
    Line bias = line(node, places.bias, DType.I32);
    Rescaling rescaling = rescaling(node, places);
    Window window = Window.of(node, Conv.kernel(node, x, w), x);
    boolean flat = x.rank() == 3;
    IntegerProduct.Convolution form =
        new IntegerProduct.Convolution(
            Math.toIntExact(x.shape().extent(0)),
            Math.toIntExact(x.shape().extent(1)),
            Math.toIntExact(w.shape().extent(0)),
            Math.toIntExact(Conv.group(node)),
            Sliding2d.window(window),
            flat ? 1 : Math.toIntExact(x.shape().extent(2)),
            flat ? 1 : Math.toIntExact(y.extent(2)));
    DeviceTensor result = planner.define(node.output());
    planner.launch(
        arena ->
            IntegerProduct.convolve(
                kernels,
                form,
                in.on(arena),
                weights.on(arena),
                zeroX.on(arena),
                zeroW.on(arena),
                bias.address(arena),
                rescaling.on(arena),
                result.on(arena)));
    planner.explain(node, "convolution_integer", "exact sums in i32");
    return true;
  }

  private boolean multiply(Node node, Places places) {
    ValueType a = planner.type(node.inputs().get(places.a));
    ValueType b = planner.type(node.inputs().get(places.b));
    Shape y = planner.type(node.output()).shape();
    if (a.rank() < 2
        || b.rank() < 2
        || y.elements() == 0
        || a.shape().extent(-1) == 0
        || !IntegerProduct.fits(a.shape().extent(-1))
        || !MatrixProduct.supports(y)) {
      return false;
    }
    DeviceTensor left = planner.use(node.inputs().get(places.a));
    DeviceTensor right = planner.use(node.inputs().get(places.b));
    Line zeroA = line(node, places.zeroA, DType.I32);
    Line zeroB = line(node, places.zeroB, DType.I32);
    Rescaling rescaling = rescaling(node, places);
    DeviceTensor product = planner.define(node.output());
    planner.launch(
        arena ->
            IntegerProduct.multiply(
                kernels,
                left.view(arena),
                right.view(arena),
                zeroA.on(arena),
                zeroB.on(arena),
                rescaling.on(arena),
                product.view(arena)));
    planner.explain(node, "matmul_integer", "exact sums in i32");
    return true;
  }
}
