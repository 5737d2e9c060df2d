package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** A copy of a tensor with slices replaced by, or joined with, updates. */
public final class ScatterNd implements Operator {
  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType updates = inputs.required(2);
    List<Dim> dims = Slices.dims(node, inputs.required(1), x, 0);
    if (updates.dtype() != x.dtype() || updates.rank() != dims.size()) {
      throw node.problem("puts " + updates + " into " + x, "pass updates of the shape " + dims);
    }
    Combination.of(node);
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor updates = binding.input(2);
    Tensor y = binding.output();
    Slices slices = new Slices(binding.node(), binding.input(1), x, 0);
    Combination combination = Combination.of(binding.node());
    long size = slices.size();
    if (updates.elements() != slices.count() * size) {
      throw binding
          .node()
          .problem("puts " + updates + " into " + x, "give an update for each slice");
    }
    return () -> {
      x.copyTo(y);
      for (long i = 0; i < slices.count(); i++) {
        long start = slices.start(i);
        for (long e = 0; e < size; e++) {
          combination.store(updates, i * size + e, y, start + e);
        }
      }
    };
  }
}
