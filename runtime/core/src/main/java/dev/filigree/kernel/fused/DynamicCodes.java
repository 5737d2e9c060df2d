package dev.filigree.kernel.fused;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import java.util.List;

/**
 * DynamicQuantizeLinear whose codes are held as whole f32 numbers less the zero point. Its second
 * output is the scale.
 */
public final class DynamicCodes implements Operator {
  /** Operator type. */
  public static final String TYPE = "DynamicCodes";

  /** The operator, which has no state. */
  public DynamicCodes() {}

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    return List.of(
        ValueType.of(DType.F32, inputs.required(0).dims()), ValueType.of(DType.F32, List.of()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output(0);
    return () -> {
      float min = 0;
      float max = 0;
      for (long i = 0; i < x.elements(); i++) {
        min = Math.min(min, (float) x.getDouble(i));
        max = Math.max(max, (float) x.getDouble(i));
      }
      float scale = DynamicQuantizeLinear.scale(min, max);
      int zero = DynamicQuantizeLinear.zeroPoint(min, scale);
      for (long i = 0; i < x.elements(); i++) {
        y.setDouble(i, DynamicQuantizeLinear.code((float) x.getDouble(i), scale, zero) - zero);
      }
      binding.output(1).setDouble(0, scale);
    };
  }
}
