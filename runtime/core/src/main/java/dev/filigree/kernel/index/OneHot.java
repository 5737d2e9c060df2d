package dev.filigree.kernel.index;

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
import java.util.List;

/** Turns indices into vectors with one value at the index and another elsewhere. */
public final class OneHot implements Operator {
  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType indices = inputs.required(0);
    ValueType depth = inputs.required(1);
    ValueType values = inputs.required(2);
    if (values.rank() != 1 || values.dim(0).isKnown() && !values.dim(0).is(2)) {
      throw node.problem("chooses from " + values, "give the value elsewhere and the value there");
    }
    Dim extent = depth(node, depth);
    if (extent.isKnown() && extent.value() < 0) {
      throw node.problem("makes vectors of " + extent, "use a depth of 0 or more");
    }
    int axis = Axes.normalise(node, node.intAttribute("axis", -1), indices.rank() + 1);
    List<Dim> dims = new ArrayList<>(indices.dims());
    dims.add(axis, extent);
    return List.of(ValueType.of(values.dtype(), dims));
  }

  /** The depth, for which any number type will do. */
  private static Dim depth(Node node, ValueType depth) {
    if (depth.reals() != null && depth.reals().size() == 1) {
      return Dim.of((long) depth.reals().getFirst().doubleValue());
    }
    if (depth.content() == null || depth.content().size() != 1) {
      throw new DataDependentException(node, "depth");
    }
    return depth.content().getFirst();
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor indices = binding.input(0);
    Tensor values = binding.input(2);
    Tensor y = binding.output();
    Lines lines = Lines.along(node, y.shape(), -1);
    return () -> {
      for (long line = 0; line < lines.count(); line++) {
        long index =
            indices.dtype().isFloating() ? (long) indices.getDouble(line) : indices.getLong(line);
        long hot = index < 0 ? index + lines.length() : index;
        for (long i = 0; i < lines.length(); i++) {
          Elements.copy(values, i == hot ? 1 : 0, y, lines.start(line) + i * lines.step(), 1);
        }
      }
    };
  }
}
