package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import dev.filigree.kernel.shape.Gather;
import java.util.List;

/** A copy of a tensor with single elements of its lines replaced or joined with updates. */
public final class ScatterElements implements Operator {
  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType indices = inputs.required(1);
    ValueType updates = inputs.required(2);
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.rank());
    Indices.requireWithin(node, x, indices, axis);
    if (updates.dtype() != x.dtype() || updates.rank() != indices.rank()) {
      throw node.problem("puts " + updates + " into " + x, "type and shape must fit the indices");
    }
    Combination.of(node);
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor indices = binding.input(1);
    Tensor updates = binding.input(2);
    Tensor y = binding.output();
    if (!updates.shape().equals(indices.shape())) {
      throw node.problem("puts " + updates + " at " + indices, "give one update for each index");
    }
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.shape().rank());
    Strided walk = Indices.across(indices.shape(), x.shape(), axis);
    Combination combination = Combination.of(node);
    long rows = x.shape().extent(axis);
    long step = x.stride(axis);
    return () -> {
      x.copyTo(y);
      walk.forEach(
          (i, at) ->
              combination.store(
                  updates, i, y, at[0] + Gather.row(node, indices.getLong(i), rows) * step));
    };
  }
}
