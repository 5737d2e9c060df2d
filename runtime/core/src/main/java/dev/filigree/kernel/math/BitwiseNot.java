package dev.filigree.kernel.math;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Turns every bit of integers. */
public final class BitwiseNot implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isInteger()) {
      throw node.problem("turns the bits of " + x, "pass integers");
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        y.setLong(i, ~x.getLong(i));
      }
    };
  }
}
