package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Function;
import java.util.function.LongUnaryOperator;

/**
 * Operators that treat each element on its own and keep its type. Floats are computed in double and
 * rounded once.
 */
public final class Unary implements Operator {
  private final Function<Node, DoubleUnaryOperator> floats;
  private final LongUnaryOperator integers;

  private Unary(Function<Node, DoubleUnaryOperator> floats, LongUnaryOperator integers) {
    this.floats = floats;
    this.integers = integers;
  }

  /** An operator on floats. */
  public static Unary floats(DoubleUnaryOperator function) {
    return new Unary(node -> function, null);
  }

  /** An operator on floats that a node's attributes shape. */
  public static Unary shaped(Function<Node, DoubleUnaryOperator> function) {
    return new Unary(function, null);
  }

  /** An operator on floats and integers. */
  public static Unary numbers(DoubleUnaryOperator floats, LongUnaryOperator integers) {
    return new Unary(node -> floats, integers);
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType type = inputs.required(0);
    if (!type.dtype().isFloating() && (integers == null || type.dtype() == DType.BOOL)) {
      throw node.unsupported("reads " + type, "pass a floating-point tensor");
    }
    return List.of(ValueType.of(type.dtype(), type.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    long n = y.elements();
    if (x.dtype().isFloating()) {
      DoubleUnaryOperator function = floats.apply(binding.node());
      if (x.dtype() == DType.F32) {
        return () -> {
          for (long i = 0; i < n; i++) {
            float value = x.data().get(DType.FLOAT, i * Float.BYTES);
            y.data().set(DType.FLOAT, i * Float.BYTES, (float) function.applyAsDouble(value));
          }
        };
      }
      return () -> {
        for (long i = 0; i < n; i++) {
          y.setDouble(i, function.applyAsDouble(x.getDouble(i)));
        }
      };
    }
    return () -> {
      for (long i = 0; i < n; i++) {
        y.setLong(i, integers.applyAsLong(x.getLong(i)));
      }
    };
  }

  private static final double TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);
  private static final double LOG_2 = Math.log(2);

  /**
   * The error function, from the series {@code 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!!}
   * whose terms all have the sign of x. Relative error about 1e-15; beyond 6 the result is 1 to
   * double precision.
   */
  public static double erf(double x) {
    if (Double.isNaN(x) || Math.abs(x) > 6) {
      return Double.isNaN(x) ? x : Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return TWO_OVER_ROOT_PI * Math.exp(-x * x) * sum;
  }

  /** {@code x * P(X <= x)} for a standard normal X: the erf form of GELU (arXiv 1606.08415). */
  public static double gelu(double x) {
    // an infinite x times a probability of 0 would be NaN
    if (Double.isInfinite(x)) {
      return x > 0 ? x : 0;
    }
    return 0.5 * x * (1 + erf(x / Math.sqrt(2)));
  }

  /** The logistic function. */
  public static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** The inverse of cosh; NaN below 1. */
  public static double acosh(double x) {
    if (x < 1) {
      return Double.NaN;
    }
    // near 1 the logarithm of one more keeps the digits; of large numbers the square would overflow
    return x > 1e8 ? Math.log(x) + LOG_2 : Math.log1p(x - 1 + Math.sqrt((x - 1) * (x + 1)));
  }

  /** The inverse of sinh, odd in x. */
  public static double asinh(double x) {
    double magnitude = Math.abs(x);
    double square = magnitude * magnitude;
    // small numbers keep their digits in log1p; of large ones the square would overflow
    double result =
        magnitude > 1e8
            ? Math.log(magnitude) + LOG_2
            : Math.log1p(magnitude + square / (1 + Math.sqrt(square + 1)));
    return Math.copySign(result, x);
  }

  /** {@code log(1 + exp(x))} without the overflow. */
  public static double softplus(double x) {
    return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }
}
