package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Lines;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The k largest or smallest elements along an axis, in order, and where they lie; equal ones by
 * position. k is an attribute before operator set 10.
 */
public final class TopK implements Operator {
  private static final int K_BECAME_INPUT = 10;

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    int axis = Axes.normalise(node, node.intAttribute("axis", -1), x.rank());
    Dim k = k(node, inputs);
    if (k.isKnown()
        && (k.value() < 0 || x.dim(axis).isKnown() && k.value() > x.dim(axis).value())) {
      throw node.problem(
          "takes " + k + " elements along axis " + axis + " of " + x, "take at most all of them");
    }
    List<Dim> dims = new ArrayList<>(x.dims());
    dims.set(axis, k);
    return List.of(ValueType.of(x.dtype(), dims), ValueType.of(DType.I64, dims));
  }

  private static Dim k(Node node, Inputs inputs) {
    if (inputs.opset() < K_BECAME_INPUT) {
      return Dim.of(node.intAttribute("k", 0));
    }
    ValueType k = inputs.required(1);
    if (k.content() == null || k.content().size() != 1) {
      throw new DataDependentException(node, "k");
    }
    return k.content().getFirst();
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor values = binding.output();
    Tensor indices = binding.outputs().size() > 1 ? binding.output(1) : null;
    Lines from = Lines.along(node, x.shape(), -1);
    Lines to = Lines.along(node, values.shape(), -1);
    int sign = node.intAttribute("largest", 1) != 0 ? -1 : 1;
    return () -> {
      Long[] order = new Long[Math.toIntExact(from.length())];
      for (long line = 0; line < from.count() && to.length() > 0; line++) {
        long start = from.start(line);
        Arrays.setAll(order, i -> (long) i);
        Arrays.sort(
            order,
            (a, b) -> sign * Elements.compare(x, start + a * from.step(), start + b * from.step()));
        for (int i = 0; i < to.length(); i++) {
          long at = to.start(line) + i * to.step();
          Elements.copy(x, start + order[i] * from.step(), values, at, 1);
          if (indices != null) {
            indices.setLong(at, order[i]);
          }
        }
      }
    };
  }
}
