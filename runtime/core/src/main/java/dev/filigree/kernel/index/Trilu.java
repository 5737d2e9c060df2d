package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Keeps one triangle of the matrices in the last two axes and sets the rest to 0. */
public final class Trilu implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.rank() < 2) {
      throw node.problem("takes a triangle of " + x, "pass matrices");
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Tensor diagonal = binding.has(1) ? binding.input(1) : null;
    boolean upper = binding.node().intAttribute("upper", 1) != 0;
    long rows = x.shape().extent(-2);
    long columns = x.shape().extent(-1);
    return () -> {
      long k = diagonal == null ? 0 : Math.clamp(diagonal.getLong(0), -rows - 1, columns + 1);
      for (long i = 0; i < x.elements(); i++) {
        long offset = i % columns - i / columns % rows;
        if (upper ? offset >= k : offset <= k) {
          Elements.copy(x, i, y, i, 1);
        } else {
          y.setLong(i, 0);
        }
      }
    };
  }
}
