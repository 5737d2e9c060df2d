package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.DataDependentOperator;
import java.util.List;

/** Where a tensor is not 0: an index of each such element in every column, in row-major order. */
public final class NonZero implements DataDependentOperator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    Dim found = Dim.symbol("nonzero(" + node.output() + ")");
    return List.of(ValueType.of(DType.I64, List.of(Dim.of(inputs.required(0).rank()), found)));
  }

  @Override
  public Tensor[] compute(Node node, int opset, Tensor[] operands) {
    Tensor x = operands[0];
    long count = 0;
    for (long i = 0; i < x.elements(); i++) {
      count += x.getDouble(i) != 0 ? 1 : 0;
    }
    int rank = x.shape().rank();
    Tensor y = Tensor.zeros(DType.I64, Shape.of(rank, count));
    long[] strides = x.shape().strides();
    long at = 0;
    for (long i = 0; i < x.elements(); i++) {
      if (x.getDouble(i) != 0) {
        for (int axis = 0; axis < rank; axis++) {
          y.setLong(axis * count + at, i / strides[axis] % x.shape().extent(axis));
        }
        at++;
      }
    }
    return new Tensor[] {y};
  }
}
