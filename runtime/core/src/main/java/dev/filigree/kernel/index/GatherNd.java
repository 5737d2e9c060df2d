package dev.filigree.kernel.index;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** Takes the slices of a tensor that tuples of indices name. */
public final class GatherNd implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  private static int batchAxes(Node node) {
    return Math.clamp(node.intAttribute("batch_dims", 0), -1, Integer.MAX_VALUE);
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    return List.of(
        ValueType.of(x.dtype(), Slices.dims(node, inputs.required(1), x, batchAxes(node))));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Slices slices = new Slices(binding.node(), binding.input(1), x, batchAxes(binding.node()));
    long size = slices.size();
    return () -> {
      for (long i = 0; i < slices.count(); i++) {
        Elements.copy(x, slices.start(i), y, i * size, size);
      }
    };
  }
}
