package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.List;

/**
 * Power of two broadcast tensors; the result has the type of the base, whatever the exponent's
 * type.
 */
public final class Pow implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType base = inputs.required(0);
    ValueType exponent = Broadcast.right(node, inputs.opset(), base, inputs.required(1));
    if (base.dtype() == DType.BOOL || exponent.dtype() == DType.BOOL) {
      throw node.problem("raises " + base + " to " + exponent, "pass numbers");
    }
    return List.of(ValueType.of(base.dtype(), Broadcast.dims(node, List.of(base, exponent))));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(0);
    Tensor b = Broadcast.right(binding.node(), binding.opset(), a, binding.input(1));
    Tensor y = binding.output();
    DType to = y.dtype();
    DType by = b.dtype();
    Strided walk = Strided.broadcast(y.shape(), a, b);
    Strided.Body body =
        (i, at) -> {
          double base = to.readDouble(a.data(), at[0] * to.bytes());
          double exponent = by.readDouble(b.data(), at[1] * by.bytes());
          to.writeDouble(y.data(), i * to.bytes(), power(base, exponent));
        };
    return () -> walk.forEach(body);
  }

  /**
   * As C's function, which ONNX Runtime calls: 1 to the power of anything is 1, and so is -1 to
   * that of infinity, where Java gives NaN.
   */
  static double power(double base, double exponent) {
    return base == 1 || base == -1 && Double.isInfinite(exponent) ? 1 : Math.pow(base, exponent);
  }
}
