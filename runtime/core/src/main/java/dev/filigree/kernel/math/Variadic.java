package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleBinaryOperator;
import java.util.function.LongBinaryOperator;

/**
 * Operators that fold any number of broadcast tensors with one function: Min, Max, Sum and, with a
 * division at the end, Mean.
 *
 * @param mean whether the result is divided by the number of operands
 * @param ordered whether the function picks by order, which differs for unsigned numbers
 */
public record Variadic(
    DoubleBinaryOperator floats, LongBinaryOperator integers, boolean mean, boolean ordered)
    implements Operator {
  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    List<ValueType> types = new ArrayList<>();
    for (int i = 0; i < node.inputs().size(); i++) {
      types.add(inputs.required(i));
    }
    DType dtype = inputs.required(0).dtype();
    if (dtype == DType.BOOL || types.stream().anyMatch(type -> type.dtype() != dtype)) {
      throw node.problem("combines " + types, "all must have the same numeric type");
    }
    return List.of(ValueType.of(dtype, Broadcast.dims(node, types)));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor y = binding.output();
    DType dtype = y.dtype();
    int bytes = dtype.bytes();
    Tensor[] operands = binding.inputs().toArray(Tensor[]::new);
    Strided walk = Strided.broadcast(y.shape(), operands);
    // with its first bit turned an unsigned number is ordered as a signed one
    long turn = dtype == DType.U64 && ordered ? Long.MIN_VALUE : 0;
    Strided.Body body =
        dtype.isFloating()
            ? (i, at) -> {
              double folded = dtype.readDouble(operands[0].data(), at[0] * bytes);
              for (int o = 1; o < operands.length; o++) {
                folded =
                    floats.applyAsDouble(
                        folded, dtype.readDouble(operands[o].data(), at[o] * bytes));
              }
              dtype.writeDouble(y.data(), i * bytes, mean ? folded / operands.length : folded);
            }
            : (i, at) -> {
              long folded = dtype.readLong(operands[0].data(), at[0] * bytes) ^ turn;
              for (int o = 1; o < operands.length; o++) {
                folded =
                    integers.applyAsLong(
                        folded, dtype.readLong(operands[o].data(), at[o] * bytes) ^ turn);
              }
              dtype.writeLong(y.data(), i * bytes, mean ? folded / operands.length : folded ^ turn);
            };
    return () -> walk.forEach(body);
  }
}
