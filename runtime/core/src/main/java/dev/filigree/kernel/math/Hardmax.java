package dev.filigree.kernel.math;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Lines;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * 1 at the first largest element and 0 elsewhere. Before operator set 13 the axes from the given
 * one to the last count as one.
 */
public final class Hardmax implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating() || x.rank() == 0) {
      throw node.problem("looks for the largest of " + x, "pass floats with an axis");
    }
    Softmax.axis(node, inputs.opset(), x.rank());
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Lines lines = Softmax.lines(binding.node(), binding.opset(), x.shape());
    return () -> {
      for (long line = 0; line < lines.count(); line++) {
        long best = lines.start(line);
        for (long i = 0; i < lines.length(); i++) {
          long at = lines.start(line) + i * lines.step();
          best = Elements.compare(x, at, best) > 0 ? at : best;
          y.setDouble(at, 0);
        }
        if (lines.length() > 0) {
          y.setDouble(best, 1);
        }
      }
    };
  }
}
