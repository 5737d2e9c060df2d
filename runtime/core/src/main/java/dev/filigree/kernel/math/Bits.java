package dev.filigree.kernel.math;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.List;

/** Operators on the bits of two broadcast integer tensors. */
public enum Bits implements Operator {
  AND {
    @Override
    long apply(Node node, long a, long b, int width, boolean isSigned) {
      return a & b;
    }
  },
  OR {
    @Override
    long apply(Node node, long a, long b, int width, boolean isSigned) {
      return a | b;
    }
  },
  XOR {
    @Override
    long apply(Node node, long a, long b, int width, boolean isSigned) {
      return a ^ b;
    }
  },
  /**
   * Moves bits; those moved out are lost, and a signed integer that moves right keeps its sign
   * (operator set 26).
   */
  SHIFT {
    @Override
    long apply(Node node, long a, long b, int width, boolean isSigned) {
      boolean left = node.textAttribute("direction", "").equals("LEFT");
      if (b < 0 || b >= width) {
        return left || a >= 0 || !isSigned ? 0 : -1;
      }
      if (left) {
        return a << b;
      }
      return isSigned ? a >> b : a >>> b;
    }
  };

  abstract long apply(Node node, long a, long b, int width, boolean isSigned);

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType a = inputs.required(0);
    ValueType b = inputs.required(1);
    if (!a.dtype().isInteger() || a.dtype() != b.dtype()) {
      throw node.problem("combines the bits of " + a + " and " + b, "pass integers of one type");
    }
    if (this == SHIFT && !List.of("LEFT", "RIGHT").contains(node.textAttribute("direction", ""))) {
      throw node.problem("shifts without a direction", "set it to LEFT or RIGHT");
    }
    return List.of(ValueType.of(a.dtype(), Broadcast.dims(node, List.of(a, b))));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(0);
    Tensor b = binding.input(1);
    Tensor y = binding.output();
    int width = y.dtype().bytes() * Byte.SIZE;
    boolean isSigned = !y.dtype().isUnsigned();
    Strided walk = Strided.broadcast(y.shape(), a, b);
    return () ->
        walk.forEach(
            (i, at) ->
                y.setLong(
                    i, apply(binding.node(), a.getLong(at[0]), b.getLong(at[1]), width, isSigned)));
  }
}
