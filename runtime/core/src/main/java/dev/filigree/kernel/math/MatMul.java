package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Matrix product over the last two axes, numpy's way: leading axes broadcast, a vector is a matrix
 * of one row on the left and of one column on the right. Products are summed in double, integers in
 * long.
 */
public final class MatMul implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType a = inputs.required(0);
    ValueType b = inputs.required(1);
    if (a.dtype() != b.dtype() || a.dtype() == DType.BOOL) {
      throw node.problem("multiplies " + a + " by " + b, "both must have the same numeric type");
    }
    return List.of(ValueType.of(a.dtype(), dims(node, a, b)));
  }

  /** Extents of the product of two tensors. */
  public static List<Dim> dims(Node node, ValueType a, ValueType b) {
    if (a.rank() == 0 || b.rank() == 0) {
      throw node.problem("multiplies " + a + " by " + b, "neither may be a scalar");
    }
    Dim inner = b.rank() == 1 ? b.dim(0) : b.dim(-2);
    Dim k = a.dim(-1);
    if (k.isKnown() && inner.isKnown() && !k.equals(inner)) {
      throw node.problem(
          "multiplies " + a + " by " + b,
          "the inner extents " + k + " and " + inner + " must agree");
    }
    List<Dim> dims =
        new ArrayList<>(
            Broadcast.dims(
                node,
                List.of(
                    ValueType.of(a.dtype(), leading(a.dims())),
                    ValueType.of(a.dtype(), leading(b.dims())))));
    if (a.rank() > 1) {
      dims.add(a.dim(-2));
    }
    if (b.rank() > 1) {
      dims.add(b.dim(-1));
    }
    return dims;
  }

  private static List<Dim> leading(List<Dim> dims) {
    return dims.subList(0, Math.max(0, dims.size() - 2));
  }

  /** Multiplies one pair of matrices; offsets are in elements. */
  @FunctionalInterface
  public interface MatrixProduct {
    void at(long a, long b, long y, int m, int n, int k);
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(0);
    Tensor b = binding.input(1);
    Tensor y = binding.output();
    DType dtype = y.dtype();
    int bytes = dtype.bytes();
    MatrixProduct product =
        dtype.isFloating()
            ? (ao, bo, yo, m, n, k) -> {
              for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                  double sum = 0;
                  for (int p = 0; p < k; p++) {
                    sum +=
                        dtype.readDouble(a.data(), (ao + (long) i * k + p) * bytes)
                            * dtype.readDouble(b.data(), (bo + (long) p * n + j) * bytes);
                  }
                  dtype.writeDouble(y.data(), (yo + (long) i * n + j) * bytes, sum);
                }
              }
            }
            : (ao, bo, yo, m, n, k) -> {
              for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                  long sum = 0;
                  for (int p = 0; p < k; p++) {
                    sum +=
                        dtype.readLong(a.data(), (ao + (long) i * k + p) * bytes)
                            * dtype.readLong(b.data(), (bo + (long) p * n + j) * bytes);
                  }
                  dtype.writeLong(y.data(), (yo + (long) i * n + j) * bytes, sum);
                }
              }
            };
    return batched(a.shape(), b.shape(), product);
  }

  /** Applies a product to every pair of matrices that broadcasting of the leading axes pairs up. */
  public static Kernel batched(Shape a, Shape b, MatrixProduct product) {
    int m = a.rank() == 1 ? 1 : Math.toIntExact(a.extent(-2));
    int k = Math.toIntExact(a.extent(-1));
    int n = b.rank() == 1 ? 1 : Math.toIntExact(b.extent(-1));
    Strided walk = pairs(a, b);
    return () ->
        walk.forEach((i, at) -> product.at(at[0] * m * k, at[1] * k * n, i * m * n, m, n, k));
  }

  /**
   * Walks the pairs of matrices of two stacks whose leading axes broadcast; offsets in matrices.
   */
  public static Strided pairs(Shape a, Shape b) {
    Shape batchA = leading(a);
    Shape batchB = leading(b);
    Shape batch = broadcast(batchA, batchB);
    return new Strided(
        batch,
        new long[][] {Broadcast.strides(batchA, batch), Broadcast.strides(batchB, batch)},
        new long[2]);
  }

  private static Shape leading(Shape shape) {
    long[] extents = shape.extents();
    return Shape.of(Arrays.copyOf(extents, Math.max(0, extents.length - 2)));
  }

  private static Shape broadcast(Shape a, Shape b) {
    long[] extents = new long[Math.max(a.rank(), b.rank())];
    for (int i = 1; i <= extents.length; i++) {
      long left = i <= a.rank() ? a.extent(-i) : 1;
      long right = i <= b.rank() ? b.extent(-i) : 1;
      extents[extents.length - i] = left == 1 ? right : left;
    }
    return Shape.of(extents);
  }
}
