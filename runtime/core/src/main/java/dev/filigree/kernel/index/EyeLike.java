package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** A matrix of the input's shape with ones on a diagonal. */
public final class EyeLike implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.rank() != 2) {
      throw node.problem("makes a diagonal like " + x, "pass a matrix");
    }
    DType dtype =
        node.attributes().containsKey("dtype")
            ? OnnxTypes.dtype(
                node.intAttribute("dtype", 0),
                type -> node.unsupported("makes " + type, "use a supported type"))
            : x.dtype();
    return List.of(ValueType.of(dtype, x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    long columns = y.shape().extent(1);
    long rows = y.shape().extent(0);
    long k = Math.clamp(binding.node().intAttribute("k", 0), -rows, columns);
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        y.setDouble(i, i % columns - i / columns == k ? 1 : 0);
      }
    };
  }
}
