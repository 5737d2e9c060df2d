package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;

/** Activation functions by the names transformers gives them. */
final class Activations {
  private Activations() {}

  /**
   * Applies a function.
   *
   * @param name {@code gelu}, {@code gelu_new}, {@code gelu_pytorch_tanh}, {@code relu}, {@code
   *     silu} or {@code tanh}
   * @param config named in messages
   */
  static String apply(NetworkBuilder net, String x, String name, JsonFile config) {
    return switch (name) {
      case "gelu" -> {
        String erf = net.op("Erf", net.op("Div", x, net.scalar(Math.sqrt(2))));
        yield net.op("Mul", net.op("Mul", x, net.op("Add", erf, net.scalar(1))), net.scalar(0.5));
      }
      case "gelu_new", "gelu_pytorch_tanh" -> {
        String cube = net.op("Mul", net.op("Mul", x, x), x);
        String inner = net.op("Add", x, net.op("Mul", cube, net.scalar(0.044715)));
        String tanh = net.op("Tanh", net.op("Mul", inner, net.scalar(Math.sqrt(2 / Math.PI))));
        yield net.op("Mul", net.op("Mul", x, net.op("Add", tanh, net.scalar(1))), net.scalar(0.5));
      }
      case "relu" -> net.op("Relu", x);
      case "silu", "swish" -> net.op("Mul", x, net.op("Sigmoid", x));
      case "tanh" -> net.op("Tanh", x);
      default ->
          throw new UnsupportedException(
              config.file() + " asks for the activation '" + name + "'",
              "the nearest supported are gelu, gelu_new, relu, silu and tanh");
    };
  }
}
