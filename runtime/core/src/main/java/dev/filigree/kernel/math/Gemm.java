package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * {@code alpha * A' * B' + beta * C} on matrices, where A' and B' may be transposed and C
 * broadcasts.
 */
public final class Gemm implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType a = inputs.required(0);
    ValueType b = inputs.required(1);
    if (a.rank() != 2 || b.rank() != 2 || a.dtype() != b.dtype() || a.dtype() == DType.BOOL) {
      throw node.problem("multiplies " + a + " by " + b, "pass two matrices of one numeric type");
    }
    boolean transA = node.intAttribute("transA", 0) != 0;
    boolean transB = node.intAttribute("transB", 0) != 0;
    Dim m = a.dim(transA ? 1 : 0);
    Dim k = a.dim(transA ? 0 : 1);
    Dim n = b.dim(transB ? 0 : 1);
    Dim inner = b.dim(transB ? 1 : 0);
    if (k.isKnown() && inner.isKnown() && !k.equals(inner)) {
      throw node.problem(
          "multiplies " + a + " by " + b,
          "the inner extents " + k + " and " + inner + " must agree");
    }
    ValueType product = ValueType.of(a.dtype(), List.of(m, n));
    inputs.type(2).ifPresent(c -> Broadcast.dims(node, List.of(product, c)));
    return List.of(product);
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor a = binding.input(0);
    Tensor b = binding.input(1);
    Tensor c = binding.has(2) ? binding.input(2) : null;
    Tensor y = binding.output();
    boolean transA = node.intAttribute("transA", 0) != 0;
    boolean transB = node.intAttribute("transB", 0) != 0;
    double alpha = node.floatAttribute("alpha", 1);
    double beta = node.floatAttribute("beta", 1);
    long m = y.shape().extent(0);
    long n = y.shape().extent(1);
    long k = a.shape().extent(transA ? 0 : 1);
    long[] strides = c == null ? new long[2] : Broadcast.strides(c.shape(), y.shape());
    return () -> {
      for (long i = 0; i < m; i++) {
        for (long j = 0; j < n; j++) {
          double sum = 0;
          for (long p = 0; p < k; p++) {
            sum +=
                a.getDouble(transA ? p * m + i : i * k + p)
                    * b.getDouble(transB ? j * k + p : p * n + j);
          }
          double bias = c == null ? 0 : beta * c.getDouble(i * strides[0] + j * strides[1]);
          y.setDouble(i * n + j, alpha * sum + bias);
        }
      }
    };
  }
}
