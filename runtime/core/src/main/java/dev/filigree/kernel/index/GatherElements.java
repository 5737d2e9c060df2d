package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import dev.filigree.kernel.shape.Gather;
import java.util.List;

/** Takes, for each index of an index tensor, the element of a line that it names. */
public final class GatherElements implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType indices = inputs.required(1);
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.rank());
    Indices.requireWithin(node, x, indices, axis);
    return List.of(ValueType.of(x.dtype(), indices.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor indices = binding.input(1);
    Tensor y = binding.output();
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.shape().rank());
    Strided walk = Indices.across(indices.shape(), x.shape(), axis);
    long rows = x.shape().extent(axis);
    long step = x.stride(axis);
    return () ->
        walk.forEach(
            (i, at) ->
                Elements.copy(
                    x, at[0] + Gather.row(node, indices.getLong(i), rows) * step, y, i, 1));
  }
}
