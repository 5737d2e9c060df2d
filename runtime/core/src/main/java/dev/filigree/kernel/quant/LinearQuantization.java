package dev.filigree.kernel.quant;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.Set;

/**
 * QuantizeLinear and DequantizeLinear: {@code x = (q - zeroPoint) * scale} with one scale, since
 * operator set 13 one for each index of an axis, or since 21 one for each block along an axis.
 * Codes are integers, or {@linkplain SmallFloat small floats} that are held as f32 and have no zero
 * point.
 */
public enum LinearQuantization implements Operator {
  QUANTIZE {
    @Override
    DType result(Node node, ValueType scale, ValueType zeroPoint) {
      DType declared = declared(node, DType.U8);
      return zeroPoint == null ? declared : zeroPoint.dtype();
    }

    @Override
    boolean accepts(DType x, DType result) {
      return (x.isFloating() || x == DType.I32) && CODES.contains(result);
    }

    @Override
    Element element(Node node) {
      return (x, y, i, scale, zeroPoint) -> {
        double code = Math.rint((float) x.getDouble(i) / (float) scale) + zeroPoint;
        DType dtype = y.dtype();
        // nothing compares with NaN, of which ONNX Runtime makes the least code
        long most = (long) Math.min(code, dtype.greatest());
        y.setLong(i, code > dtype.least() ? most : dtype.least());
      };
    }
  },

  DEQUANTIZE {
    @Override
    DType result(Node node, ValueType scale, ValueType zeroPoint) {
      return declared(node, scale.dtype());
    }

    @Override
    boolean accepts(DType x, DType result) {
      return (CODES.contains(x) || x == DType.I32) && result.isFloating();
    }

    @Override
    Element element(Node node) {
      return (x, y, i, scale, zeroPoint) -> y.setDouble(i, (x.getLong(i) - zeroPoint) * scale);
    }
  },

  /** Rounds quotients to the small floats whose number the attribute {@link #FORM} is. */
  QUANTIZE_FLOATS {
    @Override
    DType result(Node node, ValueType scale, ValueType zeroPoint) {
      form(node);
      return DType.F32;
    }

    @Override
    boolean accepts(DType x, DType result) {
      return x.isFloating();
    }

    @Override
    Element element(Node node) {
      SmallFloat form = form(node);
      boolean saturates = node.intAttribute("saturate", 1) != 0;
      return (x, y, i, scale, zeroPoint) ->
          y.setDouble(i, form.round((float) x.getDouble(i) / (float) scale, saturates));
    }
  },

  /** Multiplies small floats by their scales. */
  DEQUANTIZE_FLOATS {
    @Override
    DType result(Node node, ValueType scale, ValueType zeroPoint) {
      return declared(node, scale.dtype());
    }

    @Override
    boolean accepts(DType x, DType result) {
      return x == DType.F32 && result.isFloating();
    }

    @Override
    Element element(Node node) {
      return (x, y, i, scale, zeroPoint) -> y.setDouble(i, x.getDouble(i) * scale);
    }
  };

  /** Attribute of {@link #QUANTIZE_FLOATS}: ONNX's number of a type. */
  public static final String FORM = "form";

  private static final Set<DType> CODES = Set.of(DType.U8, DType.I8, DType.U16, DType.I16);

  abstract DType result(Node node, ValueType scale, ValueType zeroPoint);

  abstract boolean accepts(DType x, DType result);

  abstract Element element(Node node);

  /** Computes one element. */
  @FunctionalInterface
  interface Element {
    void compute(Tensor x, Tensor y, long i, double scale, long zeroPoint);
  }

  /** The small floats that a node rounds to; files may hold such nodes too. */
  private static SmallFloat form(Node node) {
    long number = node.intAttribute(FORM, 0);
    return SmallFloat.of(number)
        .filter(SmallFloat::isRounded)
        .orElseThrow(
            () ->
                node.unsupported(
                    "rounds to the type " + number,
                    "let its attribute '" + FORM + "' be from 17 to 20, floats of eight bits"));
  }

  /** The type that the attribute of operator set 21 names. */
  private static DType declared(Node node, DType otherwise) {
    long number = node.intAttribute("output_dtype", 0);
    return number == 0
        ? otherwise
        : OnnxTypes.dtype(
            number, named -> node.unsupported("makes " + named, "use 8 or 16 bits, or floats"));
  }

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType scale = inputs.required(1);
    ValueType zeroPoint = inputs.type(2).orElse(null);
    DType result = result(node, scale, zeroPoint);
    if (!accepts(x.dtype(), result) || !scale.dtype().isFloating()) {
      throw node.unsupported(
          "converts " + x + " to " + result, "use floats beside integers of 8 or 16 bits");
    }
    if (this == DEQUANTIZE && zeroPoint != null && zeroPoint.dtype() != x.dtype()) {
      throw node.problem(
          "has zero points " + zeroPoint + " for " + x, "give them the type of the codes");
    }
    boolean blocked = block(node) > 0 && scale.rank() == x.rank();
    boolean paired =
        zeroPoint == null
            || zeroPoint.dims().equals(scale.dims())
            // quantisers write a bias' scale as a vector of one beside a scalar
            || isSingle(zeroPoint) && isSingle(scale);
    if (scale.rank() > 1 && !blocked || !paired) {
      throw node.problem(
          "has scales " + scale + " and zero points " + zeroPoint,
          "give one of each, or one of each for every index or block of the axis");
    }
    if (scale.rank() == 1 && !scale.dim(0).is(1) || blocked) {
      int axis = Axes.normalise(node, node.intAttribute("axis", 1), x.rank());
      if (blocked ? !blocksFit(node, x, scale, axis) : !linesFit(x, scale, axis)) {
        throw node.problem(
            "has " + scale.dims() + " scales for axis " + axis + " of " + x,
            "give one for every index of the axis, or for every block of it");
      }
    }
    return List.of(ValueType.of(result, x.dims()));
  }

  private static boolean isSingle(ValueType type) {
    return type.rank() <= 1 && type.dims().stream().allMatch(dim -> dim.is(1));
  }

  private static long block(Node node) {
    return node.intAttribute("block_size", 0);
  }

  private static boolean linesFit(ValueType x, ValueType scale, int axis) {
    return !x.dim(axis).isKnown() || x.dim(axis).equals(scale.dim(0));
  }

  private static boolean blocksFit(Node node, ValueType x, ValueType scale, int axis) {
    for (int a = 0; a < x.rank(); a++) {
      if (!x.dim(a).isKnown() || !scale.dim(a).isKnown()) {
        continue;
      }
      long extent = x.dim(a).value();
      if (scale.dim(a).value() != (a == axis ? Math.ceilDiv(extent, block(node)) : extent)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor scale = binding.input(1);
    Tensor zeroPoint = binding.has(2) ? binding.input(2) : null;
    Tensor y = binding.output();
    long n = x.elements();
    long scales = scale.elements();
    Node node = binding.node();
    boolean blocked = block(node) > 0 && scale.shape().rank() == x.shape().rank();
    int axis =
        scales > 1 || blocked
            ? Axes.normalise(node, node.intAttribute("axis", 1), x.shape().rank())
            : -1;
    long inner = axis < 0 ? 1 : Elements.product(x.shape(), axis + 1, x.shape().rank());
    long extent = axis < 0 ? 1 : x.shape().extent(axis);
    long size = blocked ? block(node) : 1;
    long blocks = blocked ? scale.shape().extent(axis) : scales;
    Element element = element(node);
    boolean shifts = zeroPoint != null && !zeroPoint.dtype().isFloating();
    return () -> {
      for (long i = 0; i < n; i++) {
        long line = i / inner;
        long at =
            blocked
                ? (line / extent * blocks + line % extent / size) * inner + i % inner
                : line % scales;
        element.compute(x, y, i, scale.getDouble(at), shifts ? zeroPoint.getLong(at) : 0);
      }
    };
  }
}
