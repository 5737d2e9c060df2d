package dev.filigree.kernel.quant;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.math.MatMul;
import java.util.List;

/**
 * Matrix product of quantised tensors: {@code y = saturate(round(sum * scaleA * scaleB / scaleY) +
 * zeroY)}, rounded half to even; A's parameters may differ by row, B's by column.
 */
public final class QLinearMatMul implements Operator {
  private static final int A = 0;
  private static final int B = 3;
  private static final int Y_SCALE = 6;
  private static final int Y_ZERO = 7;

  @Override
  public int leastInputs() {
    return 8;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType a = inputs.required(A);
    ValueType b = inputs.required(B);
    ValueType zero = inputs.required(Y_ZERO);
    if (a.dtype().bytes() != 1 || b.dtype().bytes() != 1 || zero.dtype().bytes() != 1) {
      throw node.problem("multiplies " + a + " by " + b, "pass i8 or u8 tensors");
    }
    Dim rows = a.rank() < 2 ? Dim.ONE : a.dim(-2);
    Dim columns = b.rank() < 2 ? Dim.ONE : b.dim(-1);
    ZeroPoints.require(node, inputs.type(A + 2), a, rows);
    ZeroPoints.require(node, inputs.type(B + 2), b, columns);
    QuantizedScales.require(node, inputs, A + 1, rows);
    QuantizedScales.require(node, inputs, B + 1, columns);
    QuantizedScales.require(node, inputs, Y_SCALE, Dim.ONE);
    return List.of(ValueType.of(zero.dtype(), MatMul.dims(node, a, b)));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(A);
    Tensor b = binding.input(B);
    Tensor y = binding.output();
    return MatMul.batched(
        a.shape(),
        b.shape(),
        (ao, bo, yo, m, n, k) -> {
          Tensor scaleY = binding.input(Y_SCALE);
          long zeroY = binding.input(Y_ZERO).getLong(0);
          Tensor scaleA = binding.input(A + 1);
          IntegerProduct product = new IntegerProduct(b, bo, n, k, binding.input(B + 2));
          for (int i = 0; i < m; i++) {
            long[] sums = product.row(a, ao, i, binding.input(A + 2));
            for (int j = 0; j < n; j++) {
              float factor = QuantizedScales.factor(scaleA, i, binding.input(B + 1), j, scaleY);
              QuantizedScales.store(y, yo + (long) i * n + j, sums[j] * factor, zeroY);
            }
          }
        });
  }
}
