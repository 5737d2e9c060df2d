package dev.filigree.kernel.norm;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.List;

/**
 * Divides the axes from {@code axis} to the last by the root of their mean square, then scales
 * (ONNX operator set 23; B. Zhang and R. Sennrich, 2019).
 */
public final class RmsNormalization implements Operator {
  /** Without state. */
  public RmsNormalization() {}

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType scale = inputs.required(1);
    if (!x.dtype().isFloating() || !scale.dtype().isFloating()) {
      throw node.problem("normalises " + x + " by " + scale, "pass floats");
    }
    Axes.normalise(node, node.intAttribute("axis", -1), x.rank());
    if (!Broadcast.fits(node, List.of(x, scale), x.dims())) {
      throw node.problem("scales " + x + " by " + scale, "the scale must broadcast to the input");
    }
    return List.of(ValueType.of(scale.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor scale = binding.input(1);
    Tensor y = binding.output();
    int rank = x.shape().rank();
    int axis = Axes.normalise(node, node.intAttribute("axis", -1), rank);
    double epsilon = node.floatAttribute("epsilon", 1e-5f);
    long features = Elements.product(x.shape(), axis, rank);
    double[] root = new double[1];
    Strided walk = Strided.broadcast(x.shape(), scale);
    // indices come in row-major order, so each group of features begins where the last one ended
    Strided.Body body =
        (i, at) -> {
          if (i % features == 0) {
            double squares = 0;
            for (long f = i; f < i + features; f++) {
              squares += x.getDouble(f) * x.getDouble(f);
            }
            root[0] = Math.sqrt(squares / features + epsilon);
          }
          y.setDouble(i, x.getDouble(i) / root[0] * scale.getDouble(at[0]));
        };
    return () -> walk.forEach(body);
  }
}
