package dev.filigree.cuda.operation;

import java.util.Optional;

/** Functions of two numbers, in the order of the kernels' codes ({@code elementwise/binary.cu}). */
public enum BinaryOperation {
  ADD("Add"),
  SUBTRACT("Sub"),
  MULTIPLY("Mul"),
  DIVIDE("Div"),
  POWER("Pow"),
  MINIMUM("Min"),
  MAXIMUM("Max"),
  PRELU("PRelu");

  private final String operator;

  BinaryOperation(String operator) {
    this.operator = operator;
  }

  /** The ONNX operator. */
  public String operator() {
    return operator;
  }

  /** The function of an ONNX operator. */
  public static Optional<BinaryOperation> of(String operator) {
    for (BinaryOperation operation : values()) {
      if (operation.operator.equals(operator)) {
        return Optional.of(operation);
      }
    }
    return Optional.empty();
  }
}
