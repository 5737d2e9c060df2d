package dev.filigree.kernel.window;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Pools each channel into one element. */
public enum GlobalPool implements Operator {
  AVERAGE {
    @Override
    double pool(Node node, Tensor x, long at, long size) {
      double sum = 0;
      for (long i = 0; i < size; i++) {
        sum += x.getDouble(at + i);
      }
      return sum / size;
    }
  },
  MAX {
    @Override
    double pool(Node node, Tensor x, long at, long size) {
      double max = Double.NEGATIVE_INFINITY;
      for (long i = 0; i < size; i++) {
        max = Math.max(max, x.getDouble(at + i));
      }
      return max;
    }
  },
  LP {
    @Override
    double pool(Node node, Tensor x, long at, long size) {
      double p = node.intAttribute("p", 2);
      double sum = 0;
      for (long i = 0; i < size; i++) {
        sum += Math.pow(Math.abs(x.getDouble(at + i)), p);
      }
      return Math.pow(sum, 1 / p);
    }
  };

  abstract double pool(Node node, Tensor x, long at, long size);

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating() || x.rank() < 2) {
      throw node.problem("pools " + x, "pass floats [batch, channels, spatial...]");
    }
    List<Dim> dims = new ArrayList<>(x.dims().subList(0, 2));
    dims.addAll(Collections.nCopies(x.rank() - 2, Dim.ONE));
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    long size = Elements.product(x.shape(), 2, x.shape().rank());
    long channels = y.elements();
    return () -> {
      for (long c = 0; c < channels; c++) {
        y.setDouble(c, pool(binding.node(), x, c * size, size));
      }
    };
  }
}
