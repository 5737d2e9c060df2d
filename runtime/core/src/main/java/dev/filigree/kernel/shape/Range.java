package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.DataDependentException;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.ArrayList;
import java.util.List;

/** The numbers from a start up to but not including a limit, by a step. */
public final class Range implements Operator {
  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType start = inputs.required(0);
    ValueType limit = inputs.required(1);
    ValueType delta = inputs.required(2);
    if (start.dtype() != limit.dtype() || start.dtype() != delta.dtype()) {
      throw node.problem(
          "counts from " + start + " to " + limit + " by " + delta, "give all three one type");
    }
    for (ValueType bound : List.of(start, limit, delta)) {
      if (bound.isConcrete() && bound.shape().elements() != 1) {
        throw node.problem("counts with " + bound, "give one number each");
      }
    }
    if (start.dtype().isFloating()) {
      return List.of(
          ValueType.of(start.dtype(), List.of(Dim.of(count(node, start, limit, delta)))));
    }
    if (!start.dtype().isInteger()
        || start.content() == null
        || limit.content() == null
        || !delta.hasKnownContent()) {
      throw new DataDependentException(node, "length");
    }
    Dim from = start.content().getFirst();
    Dim to = limit.content().getFirst();
    Dim step = delta.content().getFirst();
    if (step.is(0)) {
      throw node.problem("counts by 0", "use another step");
    }
    if (!from.isKnown() || !to.isKnown()) {
      Dim span = to.minus(from);
      return List.of(
          ValueType.of(
              start.dtype(),
              List.of(step.is(1) ? span : Dim.symbol("(" + span + " / " + step + ")"))));
    }
    long count = count(node, from.value(), to.value(), step.value());
    List<Dim> content = null;
    if (count <= 64) {
      content = new ArrayList<>();
      for (long i = 0; i < count; i++) {
        content.add(Dim.of(from.value() + i * step.value()));
      }
    }
    return List.of(new ValueType(start.dtype(), List.of(Dim.of(count)), content));
  }

  private static long count(Node node, ValueType start, ValueType limit, ValueType delta) {
    if (start.reals() == null || limit.reals() == null || delta.reals() == null) {
      throw new DataDependentException(node, "length");
    }
    double span = limit.reals().getFirst() - start.reals().getFirst();
    double count = Math.ceil(span / delta.reals().getFirst());
    if (!(count <= Integer.MAX_VALUE)) {
      throw node.problem("counts " + count + " steps", "use bounds and a step that are finite");
    }
    return (long) Math.max(0, count);
  }

  private static long count(Node node, long from, long to, long step) {
    try {
      return Math.max(0, Math.ceilDiv(Math.subtractExact(to, from), step));
    } catch (ArithmeticException overflow) {
      throw node.problem("counts from " + from + " to " + to, "use bounds that lie closer");
    }
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor start = binding.input(0);
    Tensor delta = binding.input(2);
    Tensor y = binding.output();
    long n = y.elements();
    if (y.dtype().isFloating()) {
      return () -> {
        for (long i = 0; i < n; i++) {
          y.setDouble(i, start.getDouble(0) + i * delta.getDouble(0));
        }
      };
    }
    return () -> {
      for (long i = 0; i < n; i++) {
        y.setLong(i, start.getLong(0) + i * delta.getLong(0));
      }
    };
  }
}
