package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Whether each float is of a kind: not a number, or infinite. */
public enum FloatClass implements Operator {
  NAN {
    @Override
    boolean holds(Node node, double x) {
      return Double.isNaN(x);
    }
  },
  INFINITE {
    @Override
    boolean holds(Node node, double x) {
      return x == Double.POSITIVE_INFINITY && node.intAttribute("detect_positive", 1) != 0
          || x == Double.NEGATIVE_INFINITY && node.intAttribute("detect_negative", 1) != 0;
    }
  };

  abstract boolean holds(Node node, double x);

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating()) {
      throw node.problem("tests " + x, "pass floats");
    }
    return List.of(ValueType.of(DType.BOOL, x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Node node = binding.node();
    long n = y.elements();
    if (this == NAN && x.dtype() == DType.F32) {
      return () -> {
        for (long i = 0; i < n; i++) {
          boolean holds = Float.isNaN(x.data().get(DType.FLOAT, i * Float.BYTES));
          y.data().set(DType.BYTE, i, (byte) (holds ? 1 : 0));
        }
      };
    }
    return () -> {
      for (long i = 0; i < n; i++) {
        y.setLong(i, holds(node, x.getDouble(i)) ? 1 : 0);
      }
    };
  }
}
