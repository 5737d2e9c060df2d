package dev.filigree.kernel.norm;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Divides each element by {@code (bias + alpha / size * s)^beta}, where s sums the squares of the
 * channels around it.
 */
public final class LocalResponseNormalization implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating() || x.rank() < 2) {
      throw node.problem("normalises " + x, "pass floats [batch, channels, ...]");
    }
    if (node.intAttribute("size", 0) < 1) {
      throw node.problem("lacks its size", "give a number of channels above 0");
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    double alpha = node.floatAttribute("alpha", 1e-4f);
    double beta = node.floatAttribute("beta", 0.75f);
    double bias = node.floatAttribute("bias", 1);
    long channels = x.shape().extent(1);
    long size = Math.min(node.intAttribute("size", 1), 2 * channels + 1);
    double share = alpha / node.intAttribute("size", 1);
    long inner = Elements.product(x.shape(), 2, x.shape().rank());
    return () -> {
      for (long i = 0; i < x.elements(); i++) {
        long channel = i / inner % channels;
        long first = Math.max(0, channel - (size - 1) / 2);
        long last = Math.min(channels - 1, channel + size / 2);
        double squares = 0;
        for (long c = first; c <= last; c++) {
          double value = x.getDouble(i + (c - channel) * inner);
          squares += value * value;
        }
        y.setDouble(i, x.getDouble(i) / Math.pow(bias + share * squares, beta));
      }
    };
  }
}
