package dev.filigree.kernel.window;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/** Puts the maxima of a MaxPool back where its indices say, zeros elsewhere. */
public final class MaxUnpool implements Operator {
  private static final int SHAPE = 2;

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType indices = inputs.required(1);
    if (indices.dtype() != DType.I64 || indices.rank() != x.rank()) {
      throw node.problem("puts " + x + " at " + indices, "pass i64 indices of the same shape");
    }
    List<Dim> dims = pooled(node, x);
    if (node.input(SHAPE).isPresent()) {
      List<Long> shape = Axes.known(node, inputs.required(SHAPE), "output shape");
      if (shape.size() != x.rank() || shape.stream().anyMatch(extent -> extent < 0)) {
        throw node.problem("makes the shape " + shape, "give an extent for each axis");
      }
      dims = shape.stream().map(Dim::of).toList();
    }
    return List.of(ValueType.of(x.dtype(), dims));
  }

  /** The shape that was pooled, as far as the result tells; indices count in it. */
  private static List<Dim> pooled(Node node, ValueType x) {
    long[] kernel = Window.kernel(node, x);
    int rank = kernel.length;
    long[] pads = Window.pads(node, rank);
    long[] strides = Window.positive(node, "strides", rank);
    List<Dim> dims = new ArrayList<>(x.dims().subList(0, 2));
    for (int axis = 0; axis < rank; axis++) {
      Dim steps = x.dim(axis + 2).minus(Dim.ONE).times(Dim.of(strides[axis]));
      dims.add(steps.plus(Dim.of(kernel[axis] - pads[axis] - pads[axis + rank])));
    }
    return dims;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor indices = binding.input(1);
    Tensor y = binding.output();
    if (!indices.shape().equals(x.shape())) {
      throw binding
          .node()
          .problem("puts " + x + " at " + indices, "pass indices of the same shape");
    }
    long[] inferred =
        pooled(binding.node(), ValueType.of(x.dtype(), x.shape())).stream()
            .mapToLong(Dim::value)
            .toArray();
    long[] strides = y.shape().strides();
    return () -> {
      Elements.fill(y, null);
      for (long i = 0; i < x.elements(); i++) {
        Elements.copy(x, i, y, place(binding.node(), indices.getLong(i), inferred, y, strides), 1);
      }
    };
  }

  /** The element of the result that an index of the pooled shape means. */
  private static long place(Node node, long index, long[] pooled, Tensor y, long[] strides) {
    long rest = index;
    long place = 0;
    for (int axis = pooled.length - 1; axis >= 0; axis--) {
      long at = pooled[axis] == 0 ? 0 : rest % pooled[axis];
      rest = pooled[axis] == 0 ? 1 : rest / pooled[axis];
      if (at < 0 || at >= y.shape().extent(axis)) {
        rest = 1;
        break;
      }
      place += at * strides[axis];
    }
    if (rest != 0) {
      throw node.problem("puts a value at " + index + " of " + y, "pass the indices of a MaxPool");
    }
    return place;
  }
}
