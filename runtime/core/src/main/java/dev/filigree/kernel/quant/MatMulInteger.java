package dev.filigree.kernel.quant;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.math.MatMul;
import java.util.List;

/**
 * Matrix product of 8-bit integers into i32. The zero point of A is one for all or one for each
 * row, that of B one for all or one for each column.
 */
public final class MatMulInteger implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType a = inputs.required(0);
    ValueType b = inputs.required(1);
    if (!isByte(a.dtype()) || !isByte(b.dtype())) {
      throw node.problem("multiplies " + a + " by " + b, "pass i8 or u8 tensors");
    }
    for (int i = 2; i < 4; i++) {
      ValueType operand = inputs.required(i - 2);
      inputs
          .type(i)
          .filter(zero -> zero.rank() > 1 || zero.dtype() != operand.dtype())
          .ifPresent(
              zero -> {
                throw node.unsupported(
                    "has the zero points " + zero + " for " + operand,
                    "give one zero point, or a vector of them, of the operand's type");
              });
    }
    return List.of(ValueType.of(DType.I32, MatMul.dims(node, a, b)));
  }

  private static boolean isByte(DType dtype) {
    return dtype == DType.I8 || dtype == DType.U8;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(0);
    Tensor b = binding.input(1);
    Tensor zeroA = binding.has(2) ? binding.input(2) : null;
    Tensor zeroB = binding.has(3) ? binding.input(3) : null;
    Tensor y = binding.output();
    return MatMul.batched(
        a.shape(),
        b.shape(),
        (ao, bo, yo, m, n, k) -> {
          for (int i = 0; i < m; i++) {
            long za = zeroPoint(zeroA, i);
            for (int j = 0; j < n; j++) {
              long zb = zeroPoint(zeroB, j);
              long sum = 0;
              for (int p = 0; p < k; p++) {
                sum +=
                    (a.getLong(ao + (long) i * k + p) - za)
                        * (b.getLong(bo + (long) p * n + j) - zb);
              }
              y.setLong(yo + (long) i * n + j, sum);
            }
          }
        });
  }

  private static long zeroPoint(Tensor zero, int i) {
    return zero == null ? 0 : zero.getLong(zero.elements() == 1 ? 0 : i);
  }
}
