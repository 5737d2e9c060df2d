package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Strided;

/** What the operators share that read or write single elements of lines by index. */
final class Indices {
  private Indices() {}

  /** Refuses indices that are no integers or reach beyond a tensor in an axis but the given one. */
  static void requireWithin(Node node, ValueType x, ValueType indices, int axis) {
    requireIntegers(node, indices);
    boolean fits = indices.rank() == x.rank();
    for (int a = 0; fits && a < x.rank(); a++) {
      fits =
          a == axis
              || !x.dim(a).isKnown()
              || !indices.dim(a).isKnown()
              || indices.dim(a).value() <= x.dim(a).value();
    }
    if (!fits) {
      throw node.problem(
          "indexes " + x + " by " + indices,
          "the indices may not be larger than the tensor in any axis but " + axis);
    }
  }

  static void requireIntegers(Node node, ValueType indices) {
    if (indices.dtype() != DType.I64 && indices.dtype() != DType.I32) {
      throw node.problem("takes elements by " + indices, "indices are i64 or i32");
    }
  }

  /** Walks indices, keeping the element of a tensor with the same index but 0 along one axis. */
  static Strided across(Shape indices, Shape tensor, int axis) {
    long[] strides = tensor.strides();
    strides[axis] = 0;
    return new Strided(indices, new long[][] {strides}, new long[1]);
  }
}
