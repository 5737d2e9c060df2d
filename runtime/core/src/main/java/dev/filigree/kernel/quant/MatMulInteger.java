package dev.filigree.kernel.quant;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.math.MatMul;
import java.util.List;
import java.util.Optional;

/**
 * Matrix product of 8-bit integers into i32. The zero point of A is one for all or one for each
 * row, that of B one for all or one for each column.
 */
public final class MatMulInteger implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType a = inputs.required(0);
    ValueType b = inputs.required(1);
    if (!isByte(a.dtype()) || !isByte(b.dtype())) {
      throw node.problem("multiplies " + a + " by " + b, "pass i8 or u8 tensors");
    }
    checkZeroPoints(node, inputs.type(2), a, a.rank() < 2 ? Dim.ONE : a.dim(-2));
    checkZeroPoints(node, inputs.type(3), b, b.rank() < 2 ? Dim.ONE : b.dim(-1));
    return List.of(ValueType.of(DType.I32, MatMul.dims(node, a, b)));
  }

  private static void checkZeroPoints(
      Node node, Optional<ValueType> zeros, ValueType operand, Dim lines) {
    if (zeros.isEmpty()) {
      return;
    }
    ValueType zero = zeros.get();
    if (zero.rank() > 1 || zero.dtype() != operand.dtype()) {
      throw node.unsupported(
          "has the zero points " + zero + " for " + operand,
          "give one zero point, or a vector of them, of the operand's type");
    }
    boolean fits =
        zero.rank() == 0
            || zero.dim(0).is(1)
            || !zero.dim(0).isKnown()
            || !lines.isKnown()
            || zero.dim(0).equals(lines);
    if (!fits) {
      throw node.problem(
          "has " + zero.dim(0) + " zero points for " + operand,
          "give one for each row of A and each column of B");
    }
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
          IntegerProduct product = new IntegerProduct(b, bo, n, k, zeroB);
          for (int i = 0; i < m; i++) {
            long[] sums = product.row(a, ao, i, zeroA);
            for (int j = 0; j < n; j++) {
              y.setLong(yo + (long) i * n + j, sums[j]);
            }
          }
        });
  }
}
