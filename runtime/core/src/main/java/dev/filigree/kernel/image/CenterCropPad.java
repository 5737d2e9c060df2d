package dev.filigree.kernel.image;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Cuts axes to a length around their middle, or surrounds them with zeros up to it. */
public final class CenterCropPad implements Operator {
  /** Without state. */
  public CenterCropPad() {}

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    List<Long> lengths = Axes.known(node, inputs.required(1), "shape");
    Optional<List<Long>> axes = node.intsAttribute("axes");
    List<Dim> dims = new ArrayList<>(x.dims());
    if (lengths.size() != axes.map(List::size).orElse(x.rank())) {
      throw node.problem("gives " + x + " the lengths " + lengths, "give one for each axis");
    }
    for (int i = 0; i < lengths.size(); i++) {
      if (lengths.get(i) < 0) {
        throw node.problem("gives an axis the length " + lengths.get(i), "use 0 or more");
      }
      long axis = axes.isPresent() ? axes.get().get(i) : i;
      dims.set(Axes.normalise(node, axis, x.rank()), Dim.of(lengths.get(i)));
    }
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    int rank = x.shape().rank();
    List<Long> extents = new ArrayList<>();
    long[][] strides = {x.shape().strides(), y.shape().strides()};
    long[] starts = new long[2];
    for (int axis = 0; axis < rank; axis++) {
      long from = x.shape().extent(axis);
      long to = y.shape().extent(axis);
      extents.add(Math.min(from, to));
      starts[0] += Math.max(0, from - to) / 2 * strides[0][axis];
      starts[1] += Math.max(0, to - from) / 2 * strides[1][axis];
    }
    Strided walk =
        new Strided(
            Shape.of(extents.stream().mapToLong(Long::longValue).toArray()), strides, starts);
    return () -> {
      Elements.fill(y, null);
      walk.forEach((i, at) -> Elements.copy(x, at[0], y, at[1], 1));
    };
  }
}
