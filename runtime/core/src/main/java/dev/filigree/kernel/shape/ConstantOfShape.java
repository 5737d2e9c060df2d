package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.Collections;
import java.util.List;

/** A tensor of a given shape filled with one value, an f32 zero by default. */
public final class ConstantOfShape implements Operator {
  private static final Tensor ZERO = Tensor.of(new float[1], 1);

  private static Tensor value(Node node) {
    Tensor value =
        node.attributes().get("value") instanceof Attribute.Array(Tensor tensor) ? tensor : ZERO;
    if (value.elements() != 1) {
      throw node.problem("fills with " + value, "give one value");
    }
    return value;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    List<Dim> dims = inputs.required(0).content();
    if (dims == null) {
      throw new DataDependentException(node, "shape");
    }
    if (dims.stream().anyMatch(dim -> dim.isKnown() && dim.value() < 0)) {
      throw node.problem("asks for the shape " + dims, "extents are 0 or more");
    }
    Tensor value = value(node);
    List<Dim> content = null;
    Dim elements = Dim.product(dims);
    if (value.dtype().isInteger()
        && elements.isKnown()
        && elements.value() <= 64
        && elements.value() >= 0) {
      content = Collections.nCopies((int) elements.value(), Dim.of(value.getLong(0)));
    }
    return List.of(new ValueType(value.dtype(), dims, content));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor value = value(binding.node());
    Tensor y = binding.output();
    long n = y.elements();
    return () -> {
      for (long i = 0; i < n; i++) {
        if (y.dtype().isFloating()) {
          y.setDouble(i, value.getDouble(0));
        } else {
          y.setLong(i, value.getLong(0));
        }
      }
    };
  }
}
