package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Axes;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;

/**
 * Normalises the axes from {@code axis} to the last to mean 0 and variance 1, then scales and
 * shifts (ONNX operator set 17). Mean and variance are computed in double in two passes.
 */
public final class LayerNormalization implements Operator {
  /** ONNX's number of f32, the type the moments have by default. */
  private static final int F32 = OnnxTypes.number(DType.F32);

  @Override
  public int leastInputs() {
    return 2;
  }

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
    if (!Broadcast.fits(node, operands, x.dims())) {
      throw node.problem("scales " + operands, "scale and bias must broadcast to the input");
    }
    List<Dim> statistics = new ArrayList<>(x.dims());
    for (int i = axis; i < x.rank(); i++) {
      statistics.set(i, Dim.ONE);
    }
    if (node.intAttribute("stash_type", F32) != F32) {
      throw node.unsupported("keeps its moments in another type than f32", "leave out stash_type");
    }
    ValueType moments = ValueType.of(DType.F32, statistics);
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
    double[] moments = new double[2];
    Strided walk = Strided.broadcast(x.shape(), scale, bias == null ? scale : bias);
    // indices come in row-major order, so each group of features begins where the last one ended
    Strided.Body body =
        (i, at) -> {
          if (i % features == 0) {
            moments(x, i, features, epsilon, moments);
            store(mean, i / features, moments[0]);
            store(inverse, i / features, moments[1]);
          }
          double normal = (x.getDouble(i) - moments[0]) * moments[1] * scale.getDouble(at[0]);
          y.setDouble(i, bias == null ? normal : normal + bias.getDouble(at[1]));
        };
    return () -> walk.forEach(body);
  }

  /** Mean, and reciprocal of the standard deviation, of the features from an element on. */
  private static void moments(
      Tensor x, long start, long features, double epsilon, double[] moments) {
    double sum = 0;
    for (long i = 0; i < features; i++) {
      sum += x.getDouble(start + i);
    }
    double mean = sum / features;
    double squares = 0;
    for (long i = 0; i < features; i++) {
      double d = x.getDouble(start + i) - mean;
      squares += d * d;
    }
    moments[0] = mean;
    moments[1] = 1 / Math.sqrt(squares / features + epsilon);
  }

  private static void store(Tensor moment, long row, double value) {
    if (moment != null) {
      moment.setDouble(row, value);
    }
  }

  private static Tensor output(Binding binding, int i) {
    return i < binding.outputs().size() ? binding.outputs().get(i) : null;
  }
}
