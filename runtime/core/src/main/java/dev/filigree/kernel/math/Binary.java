package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
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
 * Operators on two tensors that broadcast against each other. Floats are computed in double and
 * rounded once, which for the four basic operations is the correctly rounded float result; integers
 * wrap.
 */
public final class Binary implements Operator {
  /** Follows shapes through the operator; null where the result cannot be told. */
  @FunctionalInterface
  interface Symbolic {
    Dim apply(Dim left, Dim right);
  }

  private final DoubleBinaryOperator floats;
  private final LongBinaryOperator integers;
  private final Symbolic symbolic;

  /** The same on rows of f32, or null. */
  private final FloatRows rows;

  private Binary(
      DoubleBinaryOperator floats, LongBinaryOperator integers, Symbolic symbolic, FloatRows rows) {
    this.rows = rows;
    this.floats = floats;
    this.integers = integers;
    this.symbolic = symbolic;
  }

  public static final Binary ADD =
      new Binary((a, b) -> a + b, (a, b) -> a + b, Dim::plus, FloatRows.ADD);
  public static final Binary SUB =
      new Binary((a, b) -> a - b, (a, b) -> a - b, Dim::minus, FloatRows.SUB);
  public static final Binary MUL =
      new Binary((a, b) -> a * b, (a, b) -> a * b, Dim::times, FloatRows.MUL);

  /**
   * Division by an integer zero gives zero: the specification leaves it open, and nothing may
   * crash.
   */
  public static final Binary DIV =
      new Binary((a, b) -> a / b, (a, b) -> b == 0 ? 0 : a / b, Binary::quotient, FloatRows.DIV);

  /** Multiplies what is negative by a slope. */
  public static final Binary PRELU =
      new Binary(
          (x, slope) -> x < 0 ? x * slope : x,
          (x, slope) -> x < 0 ? x * slope : x,
          (a, b) -> null,
          null);

  private static Dim quotient(Dim left, Dim right) {
    if (left.isKnown() && right.isKnown() && !right.is(0)) {
      return Dim.of(left.value() / right.value());
    }
    return left.dividedBy(right).orElseGet(() -> Dim.symbol("(" + left + " / " + right + ")"));
  }

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType left = inputs.required(0);
    ValueType right = Broadcast.right(node, inputs.opset(), left, inputs.required(1));
    if (left.dtype() != right.dtype() || left.dtype() == DType.BOOL) {
      throw node.problem(
          "combines " + left + " with " + right, "both must have the same numeric type");
    }
    List<Dim> dims = Broadcast.dims(node, List.of(left, right));
    return List.of(new ValueType(left.dtype(), dims, content(left, right, dims)));
  }

  private List<Dim> content(ValueType left, ValueType right, List<Dim> dims) {
    if (left.content() == null || right.content() == null || dims.size() > 1) {
      return null;
    }
    int size = dims.isEmpty() ? 1 : (int) dims.getFirst().value();
    List<Dim> content = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      Dim l = left.content().get(left.content().size() == 1 ? 0 : i);
      Dim r = right.content().get(right.content().size() == 1 ? 0 : i);
      Dim result = symbolic.apply(l, r);
      if (result == null) {
        return null;
      }
      content.add(result);
    }
    return content;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(0);
    Tensor b = Broadcast.right(binding.node(), binding.opset(), a, binding.input(1));
    Tensor y = binding.output();
    DType dtype = y.dtype();
    if (dtype == DType.F32 && rows != null) {
      return rows.bind(a, b, y);
    }
    int bytes = dtype.bytes();
    Strided walk = Strided.broadcast(y.shape(), a, b);
    Strided.Body body =
        dtype.isFloating()
            ? (i, at) ->
                dtype.writeDouble(
                    y.data(),
                    i * bytes,
                    floats.applyAsDouble(
                        dtype.readDouble(a.data(), at[0] * bytes),
                        dtype.readDouble(b.data(), at[1] * bytes)))
            : (i, at) ->
                dtype.writeLong(
                    y.data(),
                    i * bytes,
                    integers.applyAsLong(
                        dtype.readLong(a.data(), at[0] * bytes),
                        dtype.readLong(b.data(), at[1] * bytes)));
    return () -> walk.forEach(body);
  }
}
