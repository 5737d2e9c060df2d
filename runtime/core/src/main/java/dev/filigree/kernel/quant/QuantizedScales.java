package dev.filigree.kernel.quant;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ShapeRule;
import dev.filigree.graph.ValueType;

/** Scales of quantised operands, and the last step of quantised products. */
public final class QuantizedScales {
  private QuantizedScales() {}

  /** Refuses scales that are no floats or of another number than the lines. */
  public static void require(Node node, ShapeRule.Inputs inputs, int input, Dim lines) {
    ValueType scale = inputs.required(input);
    boolean single = scale.dims().stream().allMatch(dim -> dim.is(1));
    boolean fits =
        single
            || scale.rank() == 1
                && (!lines.isKnown() || !scale.dim(0).isKnown() || scale.dim(0).equals(lines));
    if (!fits || !scale.dtype().isFloating()) {
      throw node.problem(
          "has the scales " + scale, "give one float, or one for each line of the operand");
    }
  }

  /** The scale of a line. */
  public static double at(Tensor scales, long line) {
    return scales.getDouble(scales.elements() == 1 ? 0 : line);
  }

  /** What a sum of products is multiplied by, rounded to f32 after each step. */
  public static float factor(Tensor scaleA, long a, Tensor scaleB, long b, Tensor scaleY) {
    return (float) at(scaleA, a) * (float) at(scaleB, b) / (float) scaleY.getDouble(0);
  }

  /** Stores a value as a code, rounded half to even and saturated. */
  public static void store(Tensor y, long at, double value, long zeroPoint) {
    boolean signed = y.dtype() == DType.I8;
    double code = Math.rint(value) + zeroPoint;
    y.setLong(at, (long) Math.clamp(code, signed ? -128 : 0, signed ? 127 : 255));
  }
}
