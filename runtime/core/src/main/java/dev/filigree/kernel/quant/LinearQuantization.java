package dev.filigree.kernel.quant;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * QuantizeLinear and DequantizeLinear: {@code x = (q - zeroPoint) * scale} with one scale, or since
 * operator set 13 one for each index of an axis.
 */
public enum LinearQuantization implements Operator {
  QUANTIZE {
    @Override
    DType result(ValueType x, ValueType scale, ValueType zeroPoint) {
      return zeroPoint == null ? DType.U8 : zeroPoint.dtype();
    }

    @Override
    boolean accepts(DType x, DType result) {
      return (x == DType.F32 || x == DType.I32) && (result == DType.U8 || result == DType.I8);
    }

    @Override
    void element(Tensor x, Tensor y, long i, double scale, long zeroPoint) {
      double code = Math.rint((float) x.getDouble(i) / (float) scale) + zeroPoint;
      boolean signed = y.dtype() == DType.I8;
      y.setLong(i, (long) Math.clamp(code, signed ? -128 : 0, signed ? 127 : 255));
    }
  },

  DEQUANTIZE {
    @Override
    DType result(ValueType x, ValueType scale, ValueType zeroPoint) {
      return scale.dtype();
    }

    @Override
    boolean accepts(DType x, DType result) {
      return (x == DType.U8 || x == DType.I8 || x == DType.I32) && result == DType.F32;
    }

    @Override
    void element(Tensor x, Tensor y, long i, double scale, long zeroPoint) {
      y.setDouble(i, (x.getLong(i) - zeroPoint) * scale);
    }
  };

  abstract DType result(ValueType x, ValueType scale, ValueType zeroPoint);

  abstract boolean accepts(DType x, DType result);

  abstract void element(Tensor x, Tensor y, long i, double scale, long zeroPoint);

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType scale = inputs.required(1);
    ValueType zeroPoint = inputs.type(2).orElse(null);
    DType result = result(x, scale, zeroPoint);
    if (!accepts(x.dtype(), result)) {
      throw node.unsupported(
          "converts " + x + " to " + result, "use f32 beside i8 or u8 with scales of f32");
    }
    if (this == DEQUANTIZE && zeroPoint != null && zeroPoint.dtype() != x.dtype()) {
      throw node.problem(
          "has zero points " + zeroPoint + " for " + x, "give them the type of the codes");
    }
    if (scale.rank() > 1 || zeroPoint != null && !zeroPoint.dims().equals(scale.dims())) {
      throw node.problem(
          "has scales " + scale + " and zero points " + zeroPoint,
          "give one of each, or one of each for every index of the axis");
    }
    if (scale.rank() == 1 && !scale.dim(0).is(1)) {
      int axis = Axes.normalise(node, node.intAttribute("axis", 1), x.rank());
      if (x.dim(axis).isKnown() && !x.dim(axis).equals(scale.dim(0))) {
        throw node.problem(
            "has " + scale.dim(0) + " scales for axis " + axis + " of " + x,
            "give one for every index of the axis");
      }
    }
    return List.of(ValueType.of(result, x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor scale = binding.input(1);
    Tensor zeroPoint = binding.has(2) ? binding.input(2) : null;
    Tensor y = binding.output();
    long n = x.elements();
    long scales = scale.elements();
    long inner = 1;
    if (scales > 1) {
      int axis =
          Axes.normalise(binding.node(), binding.node().intAttribute("axis", 1), x.shape().rank());
      for (int a = axis + 1; a < x.shape().rank(); a++) {
        inner *= x.shape().extent(a);
      }
    }
    long step = inner;
    return () -> {
      for (long i = 0; i < n; i++) {
        long channel = i / step % scales;
        element(
            x, y, i, scale.getDouble(channel), zeroPoint == null ? 0 : zeroPoint.getLong(channel));
      }
    };
  }
}
