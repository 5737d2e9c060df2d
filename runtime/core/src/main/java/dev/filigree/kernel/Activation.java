package dev.filigree.kernel;

import dev.filigree.kernel.math.Unary;
import java.util.Locale;
import java.util.function.DoubleUnaryOperator;

/** Functions that a linear layer can apply to its result. */
public enum Activation {
  NONE(x -> x),
  RELU(x -> Math.max(x, 0)),
  /** {@code x * P(X <= x)} by the error function. */
  GELU(Unary::gelu),
  /** The approximation of GELU by tanh. */
  GELU_TANH(Activation::geluTanh),
  TANH(Math::tanh),
  SIGMOID(Unary::sigmoid),
  /** {@code x * sigmoid(x)}, also called swish. */
  SILU(x -> x == Double.NEGATIVE_INFINITY ? 0 : x * Unary.sigmoid(x)),
  /** {@code x * clip(x + 3, 0, 6) / 6} (arXiv 1905.02244). */
  HARD_SWISH(x -> x * Math.clamp(x / 6 + 0.5, 0.0, 1.0));

  private final DoubleUnaryOperator function;

  Activation(DoubleUnaryOperator function) {
    this.function = function;
  }

  /** The function in double precision: the twin of every faster form. */
  public double apply(double x) {
    return function.applyAsDouble(x);
  }

  private static double geluTanh(double x) {
    double tanh = Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x));
    // minus infinity times (1 - 1) would be NaN
    return x == Double.NEGATIVE_INFINITY ? 0 : 0.5 * x * (1 + tanh);
  }

  /** The text that names it in a node's attribute. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The activation a text names. */
  public static Activation of(String label) {
    return valueOf(label.toUpperCase(Locale.ROOT));
  }
}
