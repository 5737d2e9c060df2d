package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Lines;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Running sums or products along an axis, from either end, with or without the element itself.
 *
 * @param product whether elements are multiplied (operator set 26)
 */
public record CumSum(boolean product) implements Operator {
  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.dtype() == DType.BOOL) {
      throw node.problem("sums " + x, "pass numbers");
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor axis = binding.input(1);
    Tensor y = binding.output();
    boolean exclusive = node.intAttribute("exclusive", 0) != 0;
    boolean reverse = node.intAttribute("reverse", 0) != 0;
    return () -> {
      Lines lines = Lines.of(x.shape(), Axes.normalise(node, axis.getLong(0), x.shape().rank()));
      for (long line = 0; line < lines.count(); line++) {
        double sum = product ? 1 : 0;
        long whole = product ? 1 : 0;
        for (long i = 0; i < lines.length(); i++) {
          long at = lines.start(line) + (reverse ? lines.length() - 1 - i : i) * lines.step();
          double withElement = product ? sum * x.getDouble(at) : sum + x.getDouble(at);
          long wholeWithElement = product ? whole * x.getLong(at) : whole + x.getLong(at);
          if (x.dtype().isFloating()) {
            y.setDouble(at, exclusive ? sum : withElement);
          } else {
            y.setLong(at, exclusive ? whole : wholeWithElement);
          }
          sum = withElement;
          whole = wholeWithElement;
        }
      }
    };
  }
}
