package dev.filigree.kernel.math;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/**
 * Normalises the axes from {@code axis} to the last to mean 0 and variance 1, then scales and
 * shifts (ONNX operator set 17). Mean and variance are computed in double in two passes.
 */
public final class LayerNormalization implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating()) {
      throw node.unsupported("reads " + x, "pass a floating-point tensor");
    }
    int axis = Axes.normalise(node, node.intAttribute("axis", -1), x.rank());
    List<ValueType> operands = new ArrayList<>();
    operands.add(x);
    operands.add(inputs.required(1));
    inputs.type(2).ifPresent(operands::add);
    if (!Broadcast.dims(node, operands).equals(x.dims())) {
      throw node.problem("scales " + operands, "scale and bias must broadcast to the input");
    }
    List<Dim> statistics = new ArrayList<>(x.dims());
    for (int i = axis; i < x.rank(); i++) {
      statistics.set(i, Dim.ONE);
    }
    ValueType moments = ValueType.of(x.dtype(), statistics);
    return List.of(ValueType.of(x.dtype(), x.dims()), moments, moments);
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor scale = binding.input(1);
    Tensor bias = binding.has(2) ? binding.input(2) : null;
    Tensor y = binding.output();
    Tensor mean = output(binding, 1);
    Tensor inverse = output(binding, 2);
    int axis =
        Axes.normalise(binding.node(), binding.node().intAttribute("axis", -1), x.shape().rank());
    double epsilon = binding.node().floatAttribute("epsilon", 1e-5f);
    long count = 1;
    for (int i = axis; i < x.shape().rank(); i++) {
      count *= x.shape().extent(i);
    }
    long features = count;
    long rows = features == 0 ? 0 : x.elements() / features;
    return () -> {
      for (long row = 0; row < rows; row++) {
        long start = row * features;
        double sum = 0;
        for (long i = 0; i < features; i++) {
          sum += x.getDouble(start + i);
        }
        double m = sum / features;
        double squares = 0;
        for (long i = 0; i < features; i++) {
          double d = x.getDouble(start + i) - m;
          squares += d * d;
        }
        double r = 1 / Math.sqrt(squares / features + epsilon);
        for (long i = 0; i < features; i++) {
          double normal = (x.getDouble(start + i) - m) * r * scale.getDouble(i % scale.elements());
          y.setDouble(
              start + i, bias == null ? normal : normal + bias.getDouble(i % bias.elements()));
        }
        if (mean != null) {
          mean.setDouble(row, m);
        }
        if (inverse != null) {
          inverse.setDouble(row, r);
        }
      }
    };
  }

  private static Tensor output(Binding binding, int i) {
    return i < binding.outputs().size() ? binding.outputs().get(i) : null;
  }
}
