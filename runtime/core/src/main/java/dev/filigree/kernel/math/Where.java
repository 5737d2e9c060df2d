package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;

/** Takes each element from one of two tensors as a bool tensor says; all three broadcast. */
public final class Where implements Operator {
  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType condition = inputs.required(0);
    ValueType yes = inputs.required(1);
    ValueType no = inputs.required(2);
    if (condition.dtype() != DType.BOOL || yes.dtype() != no.dtype()) {
      throw node.problem(
          "chooses between " + yes + " and " + no + " by " + condition,
          "pass a bool condition and two tensors of one type");
    }
    List<Dim> dims = Broadcast.dims(node, List.of(condition, yes, no));
    return List.of(new ValueType(yes.dtype(), dims, content(condition, yes, no, dims)));
  }

  private static List<Dim> content(
      ValueType condition, ValueType yes, ValueType no, List<Dim> dims) {
    if (!condition.hasKnownContent()
        || yes.content() == null
        || no.content() == null
        || dims.size() > 1) {
      return null;
    }
    List<Dim> content = new ArrayList<>();
    long size = dims.isEmpty() ? 1 : dims.getFirst().value();
    for (int i = 0; i < size; i++) {
      boolean first = !at(condition.content(), i).is(0);
      content.add(at(first ? yes.content() : no.content(), i));
    }
    return content;
  }

  private static Dim at(List<Dim> content, int i) {
    return content.get(content.size() == 1 ? 0 : i);
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor condition = binding.input(0);
    Tensor yes = binding.input(1);
    Tensor no = binding.input(2);
    Tensor y = binding.output();
    DType dtype = y.dtype();
    int bytes = dtype.bytes();
    Strided walk = Strided.broadcast(y.shape(), condition, yes, no);
    Strided.Body body =
        (i, at) -> {
          boolean first = condition.data().get(DType.BYTE, at[0]) != 0;
          Tensor from = first ? yes : no;
          long offset = at[first ? 1 : 2] * bytes;
          if (dtype.isFloating()) {
            dtype.writeDouble(y.data(), i * bytes, dtype.readDouble(from.data(), offset));
          } else {
            dtype.writeLong(y.data(), i * bytes, dtype.readLong(from.data(), offset));
          }
        };
    return () -> walk.forEach(body);
  }
}
