package dev.filigree.cuda.operation;

import java.util.Optional;

/** Functions of one number, in the order of the kernels' codes ({@code elementwise/unary.cu}). */
public enum UnaryOperation {
  RELU("Relu"),
  GELU("Gelu"),
  /** The approximation of GELU by tanh. */
  GELU_TANH("GeluTanh"),
  /** {@code x * sigmoid(x)}. */
  SILU("Silu"),
  SIGMOID("Sigmoid"),
  TANH("Tanh"),
  EXP("Exp"),
  SQRT("Sqrt"),
  RECIPROCAL("Reciprocal"),
  NEGATE("Neg"),
  ABSOLUTE("Abs"),
  /** alpha is the lower bound, beta the upper one. */
  CLIP("Clip"),
  /** alpha is the factor below 0. */
  LEAKY_RELU("LeakyRelu"),
  ERF("Erf"),
  ACOS("Acos"),
  ACOSH("Acosh"),
  ASIN("Asin"),
  ASINH("Asinh"),
  ATAN("Atan"),
  ATANH("Atanh"),
  CEIL("Ceil"),
  /** alpha. */
  CELU("Celu"),
  COS("Cos"),
  COSH("Cosh"),
  /** alpha. */
  ELU("Elu"),
  FLOOR("Floor"),
  /** alpha and beta. */
  HARD_SIGMOID("HardSigmoid"),
  HARD_SWISH("HardSwish"),
  LOG("Log"),
  MISH("Mish"),
  ROUND("Round"),
  /** alpha and gamma. */
  SELU("Selu"),
  /** alpha is the bias, beta the threshold. */
  SHRINK("Shrink"),
  SIGN("Sign"),
  SIN("Sin"),
  SINH("Sinh"),
  SOFTPLUS("Softplus"),
  SOFTSIGN("Softsign"),
  TAN("Tan"),
  /** alpha. */
  THRESHOLDED_RELU("ThresholdedRelu");

  private final String operator;

  UnaryOperation(String operator) {
    this.operator = operator;
  }

  /** The ONNX operator, or that of the fused domain. */
  public String operator() {
    return operator;
  }

  /** The function of an operator. */
  public static Optional<UnaryOperation> of(String operator) {
    for (UnaryOperation operation : values()) {
      if (operation.operator.equals(operator)) {
        return Optional.of(operation);
      }
    }
    return Optional.empty();
  }
}
