package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Negation of a bool tensor. */
public final class Not implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.dtype() != DType.BOOL) {
      throw node.problem("negates " + x, "pass a bool tensor");
    }
    return List.of(ValueType.of(DType.BOOL, x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    long n = y.elements();
    return () -> {
      for (long i = 0; i < n; i++) {
        y.data().set(DType.BYTE, i, (byte) (1 - x.data().get(DType.BYTE, i)));
      }
    };
  }
}
