package dev.filigree.cuda.operation;

import java.util.Optional;

/** Relations of two values, in the order of the kernels' codes ({@code elementwise/compare.cu}). */
public enum Comparison {
  EQUAL("Equal"),
  LESS("Less"),
  LESS_OR_EQUAL("LessOrEqual"),
  GREATER("Greater"),
  GREATER_OR_EQUAL("GreaterOrEqual"),
  AND("And"),
  OR("Or"),
  XOR("Xor");

  private final String operator;

  Comparison(String operator) {
    this.operator = operator;
  }

  /** The ONNX operator. */
  public String operator() {
    return operator;
  }

  /** The relation of an ONNX operator. */
  public static Optional<Comparison> of(String operator) {
    for (Comparison comparison : values()) {
      if (comparison.operator.equals(operator)) {
        return Optional.of(comparison);
      }
    }
    return Optional.empty();
  }
}
