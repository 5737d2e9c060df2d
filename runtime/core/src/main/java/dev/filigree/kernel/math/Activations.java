package dev.filigree.kernel.math;

import dev.filigree.graph.Node;
import java.util.function.DoubleUnaryOperator;

/** Activation functions that attributes of a node shape. */
public final class Activations {
  private Activations() {}

  /** {@code alpha * (exp(x) - 1)} below 0, x above. */
  public static DoubleUnaryOperator elu(Node node) {
    double alpha = node.floatAttribute("alpha", 1);
    return x -> x < 0 ? alpha * Math.expm1(x) : x;
  }

  /** The self-normalising form of ELU (arXiv 1706.02515). */
  public static DoubleUnaryOperator selu(Node node) {
    double alpha = node.floatAttribute("alpha", 1.67326319217681884765625f);
    double gamma = node.floatAttribute("gamma", 1.05070102214813232421875f);
    return x -> gamma * (x > 0 ? x : alpha * Math.expm1(x));
  }

  /** The continuously differentiable form of ELU (arXiv 1704.07483). */
  public static DoubleUnaryOperator celu(Node node) {
    double alpha = node.floatAttribute("alpha", 1);
    return x -> Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha));
  }

  /** {@code alpha * x} below 0, x above. */
  public static DoubleUnaryOperator leakyRelu(Node node) {
    double alpha = node.floatAttribute("alpha", 0.01f);
    return x -> x < 0 ? alpha * x : x;
  }

  /** x above alpha, 0 elsewhere. */
  public static DoubleUnaryOperator thresholdedRelu(Node node) {
    double alpha = node.floatAttribute("alpha", 1);
    return x -> x > alpha ? x : 0;
  }

  /** {@code alpha * x + beta} between 0 and 1. */
  public static DoubleUnaryOperator hardSigmoid(Node node) {
    double alpha = node.floatAttribute("alpha", 0.2f);
    double beta = node.floatAttribute("beta", 0.5f);
    return x -> Math.max(0, Math.min(1, alpha * x + beta));
  }

  /** GELU (arXiv 1606.08415), exact or by a tanh as the attribute says. */
  public static DoubleUnaryOperator gelu(Node node) {
    return switch (node.textAttribute("approximate", "none")) {
      case "none" -> Unary::gelu;
      case "tanh" -> Activations::tanhGelu;
      case String other ->
          throw node.problem("approximates by '" + other + "'", "use none or tanh");
    };
  }

  private static double tanhGelu(double x) {
    double cube = 0.044715 * x * x * x;
    return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + cube)));
  }

  /** {@code x * sigmoid(alpha * x)} (arXiv 1710.05941). */
  public static DoubleUnaryOperator swish(Node node) {
    double alpha = node.floatAttribute("alpha", 1);
    return x -> x * Unary.sigmoid(alpha * x);
  }

  /** Moves x towards 0 by a bias beyond a threshold, and to 0 within it. */
  public static DoubleUnaryOperator shrink(Node node) {
    double bias = node.floatAttribute("bias", 0);
    double threshold = node.floatAttribute("lambd", 0.5f);
    return x -> x < -threshold ? x + bias : x > threshold ? x - bias : 0;
  }
}
