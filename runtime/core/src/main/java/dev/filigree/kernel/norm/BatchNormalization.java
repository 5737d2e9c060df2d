package dev.filigree.kernel.norm;

import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Elements;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Normalises each channel by given statistics: {@code scale * (x - mean) / sqrt(variance + epsilon)
 * + bias}. Training, which updates the statistics, is computed too: the suite and some exporters
 * leave it on.
 */
public final class BatchNormalization implements Operator {
  private static final int SCALE = 1;
  private static final int BIAS = 2;
  private static final int MEAN = 3;
  private static final int VARIANCE = 4;

  @Override
  public int leastInputs() {
    return 5;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (!x.dtype().isFloating() || x.rank() < 1) {
      throw node.problem("normalises " + x, "pass floats [batch, channels, ...]");
    }
    Dim channels = x.rank() == 1 ? Dim.ONE : x.dim(1);
    for (int i = SCALE; i <= VARIANCE; i++) {
      ValueType parameter = inputs.required(i);
      boolean fits =
          parameter.rank() == 1
              && (!channels.isKnown()
                  || !parameter.dim(0).isKnown()
                  || parameter.dim(0).equals(channels));
      if (!fits || !parameter.dtype().isFloating()) {
        throw node.problem(
            "normalises " + x + " with " + parameter, "give one float for each channel");
      }
    }
    if (node.intAttribute("spatial", 1) == 0) {
      throw node.unsupported("normalises each element", "export it for operator set 9 or later");
    }
    if (node.intAttribute("training_mode", 0) == 0) {
      return List.of(ValueType.of(x.dtype(), x.dims()));
    }
    ValueType statistic = ValueType.of(inputs.required(MEAN).dtype(), inputs.required(MEAN).dims());
    return List.of(ValueType.of(x.dtype(), x.dims()), statistic, statistic);
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    double epsilon = node.floatAttribute("epsilon", 1e-5f);
    double momentum = node.floatAttribute("momentum", 0.9f);
    boolean training = node.intAttribute("training_mode", 0) != 0;
    int rank = x.shape().rank();
    long channels = rank == 1 ? 1 : x.shape().extent(1);
    long inner = rank == 1 ? 1 : Elements.product(x.shape(), 2, rank);
    long batch = x.shape().extent(0);
    return () -> {
      for (long c = 0; c < channels; c++) {
        double mean = binding.input(MEAN).getDouble(c);
        double variance = binding.input(VARIANCE).getDouble(c);
        if (training) {
          double oldMean = mean;
          double oldVariance = variance;
          mean = mean(x, c, channels, batch, inner);
          variance = variance(x, c, channels, batch, inner, mean);
          store(binding, 1, c, oldMean * momentum + mean * (1 - momentum));
          store(binding, 2, c, oldVariance * momentum + variance * (1 - momentum));
        }
        double factor = binding.input(SCALE).getDouble(c) / Math.sqrt(variance + epsilon);
        double bias = binding.input(BIAS).getDouble(c);
        for (long n = 0; n < batch; n++) {
          long at = (n * channels + c) * inner;
          for (long i = 0; i < inner; i++) {
            y.setDouble(at + i, (x.getDouble(at + i) - mean) * factor + bias);
          }
        }
      }
    };
  }

  private static void store(Binding binding, int output, long channel, double value) {
    if (binding.outputs().size() > output && binding.output(output) != null) {
      binding.output(output).setDouble(channel, value);
    }
  }

  private static double mean(Tensor x, long channel, long channels, long batch, long inner) {
    double sum = 0;
    for (long n = 0; n < batch; n++) {
      for (long i = 0; i < inner; i++) {
        sum += x.getDouble((n * channels + channel) * inner + i);
      }
    }
    return sum / (batch * inner);
  }

  private static double variance(
      Tensor x, long channel, long channels, long batch, long inner, double mean) {
    double sum = 0;
    for (long n = 0; n < batch; n++) {
      for (long i = 0; i < inner; i++) {
        double difference = x.getDouble((n * channels + channel) * inner + i) - mean;
        sum += difference * difference;
      }
    }
    return sum / (batch * inner);
  }
}
