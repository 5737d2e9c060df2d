package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Joins tensors along one axis. */
public final class Concat implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType first = inputs.required(0);
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), first.rank());
    List<Dim> dims = new ArrayList<>(first.dims());
    List<Dim> content = first.rank() == 1 ? new ArrayList<>() : null;
    for (int i = 0; i < node.inputs().size(); i++) {
      ValueType next = inputs.required(i);
      if (next.dtype() != first.dtype() || next.rank() != first.rank()) {
        throw node.problem("joins " + first + " and " + next, "type and number of axes must agree");
      }
      for (int a = 0; a < first.rank() && i > 0; a++) {
        Dim own = next.dim(a);
        if (a == axis) {
          dims.set(axis, dims.get(axis).plus(own));
        } else if (own.isKnown() && first.dim(a).isKnown() && !own.equals(first.dim(a))) {
          throw node.problem(
              "joins " + first + " and " + next + " along axis " + axis,
              "all other extents must agree");
        }
      }
      if (content != null) {
        content = next.content() == null ? null : join(content, next.content());
      }
    }
    return List.of(new ValueType(first.dtype(), dims, content));
  }

  private static List<Dim> join(List<Dim> left, List<Dim> right) {
    List<Dim> joined = new ArrayList<>(left);
    joined.addAll(right);
    return joined;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    int axis =
        Axes.normalise(binding.node(), binding.node().intAttribute("axis", 0), y.shape().rank());
    long outer = 1;
    for (int a = 0; a < axis; a++) {
      outer *= y.shape().extent(a);
    }
    long rows = outer;
    long rowBytes = rows == 0 ? 0 : y.bytes() / rows;
    Tensor[] parts = binding.inputs().toArray(Tensor[]::new);
    return () -> {
      long at = 0;
      for (Tensor part : parts) {
        long bytes = rows == 0 ? 0 : part.bytes() / rows;
        for (long row = 0; row < rows; row++) {
          MemorySegment.copy(part.data(), row * bytes, y.data(), row * rowBytes + at, bytes);
        }
        at += bytes;
      }
    };
  }
}
