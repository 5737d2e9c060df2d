package dev.filigree.kernel.index;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Repeats a tensor along each axis. */
public final class Tile implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    List<Dim> repeats = inputs.required(1).content();
    if (repeats == null) {
      throw new DataDependentException(node, "repeats");
    }
    if (repeats.size() != x.rank()
        || repeats.stream().anyMatch(dim -> dim.isKnown() && dim.value() < 0)) {
      throw node.problem("repeats " + x + " " + repeats + " times", "give one number an axis");
    }
    List<Dim> dims = new ArrayList<>();
    for (int axis = 0; axis < x.rank(); axis++) {
      dims.add(x.dim(axis).times(repeats.get(axis)));
    }
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public OptionalInt rank(Node node, Inputs inputs) {
    return OptionalInt.of(inputs.required(0).rank());
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    int rank = x.shape().rank();
    // each axis of the result is a pair: which repetition, and where in the tensor
    long[] extents = new long[2 * rank];
    long[] strides = new long[2 * rank];
    for (int axis = 0; axis < rank; axis++) {
      long own = x.shape().extent(axis);
      extents[2 * axis] = own == 0 ? 0 : y.shape().extent(axis) / own;
      extents[2 * axis + 1] = own;
      strides[2 * axis + 1] = x.stride(axis);
    }
    return Strided.copy(x, strides, 0, y.reshape(Shape.of(extents)));
  }
}
