package dev.filigree.kernel.quant;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Quantises a tensor to u8 with a scale and zero point from its own range, which always includes 0.
 * Computed in float as the specification does, ties to even.
 */
public final class DynamicQuantizeLinear implements Operator {
  @Override
  public int leastOutputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.dtype() != DType.F32) {
      throw node.problem("quantises " + x, "pass an f32 tensor");
    }
    return List.of(
        ValueType.of(DType.U8, x.dims()),
        ValueType.of(DType.F32, List.of()),
        ValueType.of(DType.U8, List.of()));
  }

  /** Scale of a tensor whose values lie in a range; 1 for a tensor of zeros. */
  public static float scale(float min, float max) {
    float range = Math.max(max, 0) - Math.min(min, 0);
    return range == 0 ? 1 : range / 255;
  }

  /** The code that stands for 0. */
  public static int zeroPoint(float min, float scale) {
    return Math.clamp((long) Math.rint(-Math.min(min, 0) / scale), 0, 255);
  }

  /** The code of a value; NaN gets the code of 0. */
  public static int code(float x, float scale, int zeroPoint) {
    // saturated as an int first: an infinite quotient must not wrap around when the zero point is
    // added
    return Math.clamp((long) (int) Math.rint(x / scale) + zeroPoint, 0, 255);
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output(0);
    long n = x.elements();
    return () -> {
      float min = 0;
      float max = 0;
      for (long i = 0; i < n; i++) {
        float value = (float) x.getDouble(i);
        min = Math.min(min, value);
        max = Math.max(max, value);
      }
      float scale = scale(min, max);
      int zeroPoint = zeroPoint(min, scale);
      for (long i = 0; i < n; i++) {
        y.setLong(i, code((float) x.getDouble(i), scale, zeroPoint));
      }
      binding.output(1).setDouble(0, scale);
      binding.output(2).setLong(0, zeroPoint);
    };
  }
}
