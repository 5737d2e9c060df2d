package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.DataDependentOperator;
import dev.filigree.kernel.Elements;
import java.util.ArrayList;
import java.util.List;

/** Keeps the slices along an axis, or the elements of the whole, that a bool vector marks. */
public final class Compress implements DataDependentOperator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType condition = inputs.required(1);
    if (condition.dtype() != DType.BOOL || condition.rank() != 1) {
      throw node.problem("keeps by " + condition, "pass a bool vector");
    }
    Dim kept = Dim.symbol("kept(" + node.output() + ")");
    if (!node.attributes().containsKey("axis")) {
      return List.of(ValueType.of(x.dtype(), List.of(kept)));
    }
    List<Dim> dims = new ArrayList<>(x.dims());
    dims.set(Axes.normalise(node, node.intAttribute("axis", 0), x.rank()), kept);
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public Tensor[] compute(Node node, int opset, Tensor[] operands) {
    Tensor x =
        node.attributes().containsKey("axis")
            ? operands[0]
            : operands[0].reshape(Shape.of(operands[0].elements()));
    Tensor condition = operands[1];
    infer(node, Axes.known(new Binding(node, opset, operands, new Tensor[0])));
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.shape().rank());
    long extent = Math.min(x.shape().extent(axis), condition.elements());
    long kept = 0;
    for (long i = 0; i < extent; i++) {
      kept += condition.getLong(i);
    }
    long[] extents = x.shape().extents();
    extents[axis] = kept;
    Tensor y = Tensor.zeros(x.dtype(), Shape.of(extents));
    long outer = Elements.product(x.shape(), 0, axis);
    long inner = Elements.product(x.shape(), axis + 1, x.shape().rank());
    long at = 0;
    for (long o = 0; o < outer; o++) {
      for (long i = 0; i < extent; i++) {
        if (condition.getLong(i) != 0) {
          Elements.copy(x, (o * x.shape().extent(axis) + i) * inner, y, at, inner);
          at += inner;
        }
      }
    }
    return new Tensor[] {y};
  }
}
