package dev.filigree.kernel.norm;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Normalises groups of channels of each sample by their own mean and variance, then scales and
 * shifts: InstanceNormalization with a group for each channel, GroupNormalization with {@code
 * num_groups} and a scale for each group (operator set 18) or channel (from 21 on).
 *
 * @param instance whether each channel is a group of its own
 */
public record GroupNormalization(boolean instance) implements Operator {
  private static final int SCALES_BY_CHANNEL = 21;

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating() || x.rank() < 2) {
      throw node.problem("normalises " + x, "pass floats [batch, channels, ...]");
    }
    long groups = node.intAttribute("num_groups", 0);
    if (!instance && (groups < 1 || x.dim(1).isKnown() && x.dim(1).value() % groups != 0)) {
      throw node.problem(
          "normalises " + x + " in " + groups + " groups", "the groups must divide the channels");
    }
    Dim lines = instance || inputs.opset() >= SCALES_BY_CHANNEL ? x.dim(1) : Dim.of(groups);
    for (int i = 1; i <= 2; i++) {
      ValueType parameter = inputs.required(i);
      if (parameter.rank() != 1
          || lines.isKnown() && parameter.dim(0).isKnown() && !parameter.dim(0).equals(lines)) {
        throw node.problem("normalises " + x + " with " + parameter, "give " + lines + " numbers");
      }
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor scale = binding.input(1);
    Tensor bias = binding.input(2);
    Tensor y = binding.output();
    double epsilon = node.floatAttribute("epsilon", 1e-5f);
    long groups = instance ? x.shape().extent(1) : node.intAttribute("num_groups", 1);
    long count = x.shape().extent(0) * groups;
    long size = count == 0 ? 0 : x.elements() / count;
    // elements of a group that share a scale, one after the other
    long same = count == 0 ? 1 : Math.max(1, size * groups / scale.elements());
    long scalesPerGroup = scale.elements() / groups;
    return () -> {
      for (long g = 0; g < count; g++) {
        double sum = 0;
        for (long i = 0; i < size; i++) {
          sum += x.getDouble(g * size + i);
        }
        double mean = sum / size;
        double squares = 0;
        for (long i = 0; i < size; i++) {
          double difference = x.getDouble(g * size + i) - mean;
          squares += difference * difference;
        }
        double factor = 1 / Math.sqrt(squares / size + epsilon);
        for (long i = 0; i < size; i++) {
          long line = g % groups * scalesPerGroup + i / same;
          double normal = (x.getDouble(g * size + i) - mean) * (factor * scale.getDouble(line));
          y.setDouble(g * size + i, normal + bias.getDouble(line));
        }
      }
    };
  }
}
