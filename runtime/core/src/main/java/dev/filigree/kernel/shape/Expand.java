package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.List;
import java.util.OptionalInt;

/** Repeats a tensor as broadcasting against a given shape would. */
public final class Expand implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType shape = inputs.required(1);
    if (shape.content() == null) {
      throw new DataDependentException(node, "shape");
    }
    if (shape.content().stream().anyMatch(dim -> dim.isKnown() && dim.value() < 0)) {
      throw node.problem("asks for the shape " + shape.content(), "extents are 0 or more");
    }
    ValueType target = ValueType.of(x.dtype(), shape.content());
    return List.of(ValueType.of(x.dtype(), Broadcast.dims(node, List.of(x, target))));
  }

  @Override
  public OptionalInt rank(Node node, Inputs inputs) {
    OptionalInt axes = Axes.count(inputs.required(1));
    return axes.isEmpty()
        ? axes
        : OptionalInt.of(Math.max(inputs.required(0).rank(), axes.getAsInt()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    return Strided.copy(x, Broadcast.strides(x.shape(), y.shape()), 0, y);
  }
}
