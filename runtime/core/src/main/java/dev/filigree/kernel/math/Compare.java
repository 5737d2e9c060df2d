package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.BroadcastRows;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.Strided;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Comparisons of two broadcast tensors, and logic on two bool tensors; the result is bool. */
public enum Compare implements Operator {
  EQUAL {
    @Override
    boolean holds(double a, double b) {
      return a == b;
    }
  },
  LESS {
    @Override
    boolean holds(double a, double b) {
      return a < b;
    }
  },
  LESS_OR_EQUAL {
    @Override
    boolean holds(double a, double b) {
      return a <= b;
    }
  },
  GREATER {
    @Override
    boolean holds(double a, double b) {
      return a > b;
    }
  },
  GREATER_OR_EQUAL {
    @Override
    boolean holds(double a, double b) {
      return a >= b;
    }
  },
  AND {
    @Override
    boolean holds(double a, double b) {
      return a != 0 && b != 0;
    }
  },
  OR {
    @Override
    boolean holds(double a, double b) {
      return a != 0 || b != 0;
    }
  },
  XOR {
    @Override
    boolean holds(double a, double b) {
      return (a != 0) != (b != 0);
    }
  };

  /**
   * Whether the comparison holds; for i64 it sees the difference's sign and 0, so that large values
   * stay exact.
   */
  abstract boolean holds(double a, double b);

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType left = inputs.required(0);
    ValueType right = Broadcast.right(node, inputs.opset(), left, inputs.required(1));
    boolean fits =
        switch (this) {
          case AND, OR, XOR -> left.dtype() == DType.BOOL;
          case EQUAL -> true;
          default -> left.dtype() != DType.BOOL;
        };
    if (!fits || left.dtype() != right.dtype()) {
      throw node.problem(
          "compares " + left + " with " + right,
          "both must have one type: bool for logic, numbers for an order");
    }
    List<Dim> dims = Broadcast.dims(node, List.of(left, right));
    return List.of(new ValueType(DType.BOOL, dims, content(left, right, dims)));
  }

  private List<Dim> content(ValueType left, ValueType right, List<Dim> dims) {
    if (left.content() == null || right.content() == null || dims.size() > 1) {
      return null;
    }
    List<Dim> content = new ArrayList<>();
    long size = dims.isEmpty() ? 1 : dims.getFirst().value();
    for (int i = 0; i < size; i++) {
      Dim l = left.content().get(left.content().size() == 1 ? 0 : i);
      Dim r = right.content().get(right.content().size() == 1 ? 0 : i);
      OptionalInt order = order(l, r);
      if (order.isEmpty()) {
        return null;
      }
      content.add(Dim.of(holds(order.getAsInt(), 0) ? 1 : 0));
    }
    return content;
  }

  /**
   * How two elements compare, where that is known: an extent that is none yet is never negative, so
   * that exporters' tests of shapes for -1 are decided.
   */
  private static OptionalInt order(Dim left, Dim right) {
    if (left.isKnown() && right.isKnown()) {
      return OptionalInt.of(Long.compare(left.value(), right.value()));
    }
    if (left.equals(right)) {
      return OptionalInt.of(0);
    }
    if (right.isKnown() && right.value() < 0) {
      return OptionalInt.of(1);
    }
    return left.isKnown() && left.value() < 0 ? OptionalInt.of(-1) : OptionalInt.empty();
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor a = binding.input(0);
    Tensor b = Broadcast.right(binding.node(), binding.opset(), a, binding.input(1));
    Tensor y = binding.output();
    BroadcastRows rows = BroadcastRows.of(y, a, b);
    Strided walk = rows.walk();
    int[] steps = rows.steps();
    long n = rows.length();
    Strided.Body body =
        switch (a.dtype()) {
          case F32 -> (i, at) -> floats(a, at[0], steps[0], b, at[1], steps[1], y, i * n, n);
          case BOOL -> (i, at) -> bools(a, at[0], steps[0], b, at[1], steps[1], y, i * n, n);
          case I64, U64 -> (i, at) -> longs(a, at[0], steps[0], b, at[1], steps[1], y, i * n, n);
          default -> (i, at) -> numbers(a, at[0], steps[0], b, at[1], steps[1], y, i * n, n);
        };
    return () -> walk.forEach(body);
  }

  private void floats(
      Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
    for (long i = 0; i < n; i++) {
      set(
          y,
          to + i,
          holds(
              a.data().get(DType.FLOAT, (at + i * stepA) * Float.BYTES),
              b.data().get(DType.FLOAT, (from + i * stepB) * Float.BYTES)));
    }
  }

  private void bools(
      Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
    for (long i = 0; i < n; i++) {
      set(
          y,
          to + i,
          holds(
              a.data().get(DType.BYTE, at + i * stepA),
              b.data().get(DType.BYTE, from + i * stepB)));
    }
  }

  private void numbers(
      Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
    for (long i = 0; i < n; i++) {
      set(y, to + i, holds(a.getDouble(at + i * stepA), b.getDouble(from + i * stepB)));
    }
  }

  private void longs(
      Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
    for (long i = 0; i < n; i++) {
      int order = order(a.dtype(), a.getLong(at + i * stepA), b.getLong(from + i * stepB));
      set(y, to + i, holds(order, 0));
    }
  }

  private static void set(Tensor y, long i, boolean holds) {
    y.data().set(DType.BYTE, i, (byte) (holds ? 1 : 0));
  }

  private static int order(DType dtype, long a, long b) {
    return dtype == DType.U64 ? Long.compareUnsigned(a, b) : Long.compare(a, b);
  }
}
