package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import dev.filigree.kernel.Activation;
import java.util.Optional;

/** Activation functions by the names transformers gives them. */
final class Activations {
  private Activations() {}

  /**
   * Applies a function.
   *
   * @param name {@code gelu}, {@code gelu_new}, {@code quick_gelu}, {@code relu}, {@code relu2},
   *     {@code silu}, {@code tanh} or another name of one of them
   * @param config named in messages
   */
  static String apply(NetworkBuilder net, String x, String name, JsonFile config) {
    return switch (name) {
      case "gelu", "gelu_python" -> {
        String erf = net.op("Erf", net.op("Div", x, net.scalar(Math.sqrt(2))));
        yield net.op("Mul", net.op("Mul", x, net.op("Add", erf, net.scalar(1))), net.scalar(0.5));
      }
      case "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate" -> {
        String cube = net.op("Mul", net.op("Mul", x, x), x);
        String inner = net.op("Add", x, net.op("Mul", cube, net.scalar(0.044715)));
        String tanh = net.op("Tanh", net.op("Mul", inner, net.scalar(Math.sqrt(2 / Math.PI))));
        yield net.op("Mul", net.op("Mul", x, net.op("Add", tanh, net.scalar(1))), net.scalar(0.5));
      }
      case "quick_gelu" -> net.op("Mul", x, net.op("Sigmoid", net.times(x, 1.702)));
      case "relu" -> net.op("Relu", x);
      case "relu2" -> {
        String positive = net.op("Relu", x);
        yield net.op("Mul", positive, positive);
      }
      case "silu", "swish" -> net.op("Mul", x, net.op("Sigmoid", x));
      case "tanh" -> net.op("Tanh", x);
      default ->
          throw new UnsupportedException(
              config.file() + " asks for the activation '" + name + "'",
              "the nearest supported are gelu, gelu_new, quick_gelu, relu, relu2, silu and tanh");
    };
  }

  /** The function as layers can apply it to their results, if they can. */
  static Optional<Activation> fused(String name) {
    return switch (name) {
      case "gelu", "gelu_python" -> Optional.of(Activation.GELU);
      case "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate" ->
          Optional.of(Activation.GELU_TANH);
      case "relu" -> Optional.of(Activation.RELU);
      case "silu", "swish" -> Optional.of(Activation.SILU);
      case "tanh" -> Optional.of(Activation.TANH);
      default -> Optional.empty();
    };
  }
}
