package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Reverses the first elements of each sequence of a batch, as many as it is long. */
public final class ReverseSequence implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    long time = node.intAttribute("time_axis", 0);
    long batch = node.intAttribute("batch_axis", 1);
    if (x.rank() < 2 || time + batch != 1 || time != 0 && time != 1) {
      throw node.problem(
          "reverses " + x + " along axis " + time, "time and batch are the first two axes");
    }
    if (inputs.required(1).rank() != 1) {
      throw node.problem("has the lengths " + inputs.required(1), "give one for each sequence");
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor lengths = binding.input(1);
    Tensor y = binding.output();
    int time = (int) node.intAttribute("time_axis", 0);
    long steps = x.shape().extent(time);
    long batch = x.shape().extent(1 - time);
    long inner = Elements.product(x.shape(), 2, x.shape().rank());
    if (lengths.elements() != batch) {
      throw node.problem("has the lengths " + lengths, "give one for each sequence");
    }
    return () -> {
      for (long b = 0; b < batch; b++) {
        long length = lengths.getLong(b);
        if (length < 0 || length > steps) {
          throw node.problem("reverses " + length + " of " + steps + " elements", "use less");
        }
        for (long t = 0; t < steps; t++) {
          long from = t < length ? length - 1 - t : t;
          long at = time == 0 ? from * batch + b : b * steps + from;
          long to = time == 0 ? t * batch + b : b * steps + t;
          Elements.copy(x, at * inner, y, to * inner, inner);
        }
      }
    };
  }
}
