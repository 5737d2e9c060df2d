package dev.filigree.kernel.shape;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * The extents of a tensor as an i64 vector (Shape), or their product as a scalar (Size).
 *
 * @param product whether it is the product
 */
public record ShapeOf(boolean product) implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    List<Dim> dims = inputs.required(0).dims();
    if (product) {
      return List.of(new ValueType(DType.I64, List.of(), List.of(Dim.product(dims))));
    }
    // since operator set 15 a range of axes, which is clamped and not checked
    int start = clamp(node.intAttribute("start", 0), dims.size());
    int end = clamp(node.intAttribute("end", dims.size()), dims.size());
    return List.of(ValueType.vector(dims.subList(start, Math.max(start, end))));
  }

  private static int clamp(long axis, int rank) {
    return Math.clamp(axis < 0 ? axis + rank : axis, 0, rank);
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    if (product) {
      long elements = binding.input(0).elements();
      return () -> y.setLong(0, elements);
    }
    long[] extents = binding.input(0).shape().extents();
    int start = clamp(binding.node().intAttribute("start", 0), extents.length);
    return () -> {
      for (int i = 0; i < y.elements(); i++) {
        y.setLong(i, extents[start + i]);
      }
    };
  }
}
