package dev.filigree.kernel.index;

import dev.filigree.DType;
import dev.filigree.Tensor;
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
import java.util.List;

/**
 * Position of the largest or smallest element along an axis; of several the first, or the last with
 * {@code select_last_index}.
 *
 * @param largest whether the largest is wanted
 */
public record ArgExtreme(boolean largest) implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    int axis = Axes.normalise(node, node.intAttribute("axis", 0), x.rank());
    if (x.dtype() == DType.BOOL || x.dim(axis).is(0)) {
      throw node.problem("looks for an extreme of " + x, "pass numbers, at least one");
    }
    List<Dim> dims = new ArrayList<>(x.dims());
    if (node.intAttribute("keepdims", 1) != 0) {
      dims.set(axis, Dim.ONE);
    } else {
      dims.remove(axis);
    }
    return List.of(ValueType.of(DType.I64, dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Lines lines = Lines.along(node, x.shape(), 0);
    boolean last = node.intAttribute("select_last_index", 0) != 0;
    int sign = largest ? 1 : -1;
    return () -> {
      for (long line = 0; line < lines.count(); line++) {
        long start = lines.start(line);
        long best = 0;
        for (long i = 1; i < lines.length(); i++) {
          int order =
              sign * Elements.compare(x, start + i * lines.step(), start + best * lines.step());
          if (order > 0 || order == 0 && last) {
            best = i;
          }
        }
        y.setLong(line, best);
      }
    };
  }
}
