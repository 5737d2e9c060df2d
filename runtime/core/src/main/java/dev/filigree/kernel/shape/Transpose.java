package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;

/** Puts the axes in another order, reversed by default. */
public final class Transpose implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    List<Dim> dims = new ArrayList<>();
    for (int axis : order(node, x.rank())) {
      dims.add(x.dim(axis));
    }
    return List.of(ValueType.of(x.dtype(), dims));
  }

  /** The input axis of each output axis. */
  public static int[] order(Node node, int rank) {
    int[] order = new int[rank];
    List<Long> perm = node.intsAttribute("perm").orElse(null);
    if (perm != null && perm.stream().distinct().filter(a -> a >= 0 && a < rank).count() != rank
        || perm != null && perm.size() != rank) {
      throw node.problem("orders " + rank + " axes as " + perm, "name each axis once");
    }
    for (int axis = 0; axis < rank; axis++) {
      order[axis] = perm == null ? rank - 1 - axis : Math.toIntExact(perm.get(axis));
    }
    return order;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor view = x.permute(order(binding.node(), x.shape().rank()));
    return Strided.copy(x, view.strides(), 0, binding.output());
  }
}
