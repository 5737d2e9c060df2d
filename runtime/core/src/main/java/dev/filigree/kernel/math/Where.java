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
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Takes each element from one of two tensors as a bool tensor says; all three broadcast. */
public final class Where implements Operator {
  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType condition = inputs.required(0);
    ValueType yes = inputs.required(1);
    ValueType no = inputs.required(2);
    if (condition.dtype() != DType.BOOL || yes.dtype() != no.dtype()) {
      throw node.problem(
          "chooses between " + yes + " and " + no + " by " + condition,
          "pass a bool condition and two tensors of one type");
    }
    List<Dim> dims = Broadcast.dims(node, List.of(condition, yes, no));
    return List.of(new ValueType(yes.dtype(), dims, content(condition, yes, no, dims)));
  }

  private static List<Dim> content(
      ValueType condition, ValueType yes, ValueType no, List<Dim> dims) {
    if (!condition.hasKnownContent()
        || yes.content() == null
        || no.content() == null
        || dims.size() > 1) {
      return null;
    }
    List<Dim> content = new ArrayList<>();
    long size = dims.isEmpty() ? 1 : dims.getFirst().value();
    for (int i = 0; i < size; i++) {
      boolean first = !at(condition.content(), i).is(0);
      content.add(at(first ? yes.content() : no.content(), i));
    }
    return content;
  }

  private static Dim at(List<Dim> content, int i) {
    return content.get(content.size() == 1 ? 0 : i);
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor condition = binding.input(0);
    Tensor yes = binding.input(1);
    Tensor no = binding.input(2);
    Tensor y = binding.output();
    BroadcastRows rows = BroadcastRows.of(y, condition, yes, no);
    Strided walk = rows.walk();
    MemorySegment c = condition.data();
    MemorySegment a = yes.data();
    MemorySegment b = no.data();
    MemorySegment to = y.data();
    int[] steps = rows.steps();
    long n = rows.length();
    Strided.Body body =
        switch (y.dtype().bytes()) {
          case 4 -> (i, at) -> row4(c, a, b, at, steps, to, i * n, n);
          case 8 -> (i, at) -> row8(c, a, b, at, steps, to, i * n, n);
          case 2 -> (i, at) -> row2(c, a, b, at, steps, to, i * n, n);
          default -> (i, at) -> row1(c, a, b, at, steps, to, i * n, n);
        };
    return () -> walk.forEach(body);
  }

  private static void row8(
      MemorySegment c,
      MemorySegment a,
      MemorySegment b,
      long[] at,
      int[] steps,
      MemorySegment y,
      long into,
      long count) {
    long condition = at[0];
    long yes = at[1];
    long no = at[2];
    for (long i = 0; i < count; i++) {
      y.set(
          DType.LONG,
          (into + i) * 8,
          c.get(DType.BYTE, condition + i * steps[0]) != 0
              ? a.get(DType.LONG, (yes + i * steps[1]) * 8)
              : b.get(DType.LONG, (no + i * steps[2]) * 8));
    }
  }

  private static void row4(
      MemorySegment c,
      MemorySegment a,
      MemorySegment b,
      long[] at,
      int[] steps,
      MemorySegment y,
      long into,
      long count) {
    long condition = at[0];
    long yes = at[1];
    long no = at[2];
    for (long i = 0; i < count; i++) {
      y.set(
          DType.INT,
          (into + i) * 4,
          c.get(DType.BYTE, condition + i * steps[0]) != 0
              ? a.get(DType.INT, (yes + i * steps[1]) * 4)
              : b.get(DType.INT, (no + i * steps[2]) * 4));
    }
  }

  private static void row2(
      MemorySegment c,
      MemorySegment a,
      MemorySegment b,
      long[] at,
      int[] steps,
      MemorySegment y,
      long into,
      long count) {
    long condition = at[0];
    long yes = at[1];
    long no = at[2];
    for (long i = 0; i < count; i++) {
      y.set(
          DType.SHORT,
          (into + i) * 2,
          c.get(DType.BYTE, condition + i * steps[0]) != 0
              ? a.get(DType.SHORT, (yes + i * steps[1]) * 2)
              : b.get(DType.SHORT, (no + i * steps[2]) * 2));
    }
  }

  private static void row1(
      MemorySegment c,
      MemorySegment a,
      MemorySegment b,
      long[] at,
      int[] steps,
      MemorySegment y,
      long into,
      long count) {
    long condition = at[0];
    long yes = at[1];
    long no = at[2];
    for (long i = 0; i < count; i++) {
      y.set(
          DType.BYTE,
          into + i,
          c.get(DType.BYTE, condition + i * steps[0]) != 0
              ? a.get(DType.BYTE, yes + i * steps[1])
              : b.get(DType.BYTE, no + i * steps[2]));
    }
  }
}
