package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Limits each element to a range. The bounds are attributes before operator set 11 and scalar
 * inputs from then on; where they cross, the upper one holds.
 */
public final class Clip implements Operator {
  private static final int BOUNDS_BECAME_INPUTS = 11;
  private static final int MIN = 1;
  private static final int MAX = 2;

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    if (x.dtype() == DType.BOOL) {
      throw node.unsupported("limits " + x, "pass numbers");
    }
    for (int i = MIN; i <= MAX && inputs.opset() >= BOUNDS_BECAME_INPUTS; i++) {
      inputs
          .type(i)
          .filter(bound -> bound.dtype() != x.dtype() || !isSingle(bound))
          .ifPresent(
              bound -> {
                throw node.problem(
                    "limits " + x + " by " + bound, "pass scalars of the input's type");
              });
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  private static boolean isSingle(ValueType bound) {
    return bound.dims().stream().allMatch(dim -> dim.is(1));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    boolean fromInputs = binding.opset() >= BOUNDS_BECAME_INPUTS;
    Tensor min = fromInputs ? bound(binding, MIN) : attribute(binding.node(), "min");
    Tensor max = fromInputs ? bound(binding, MAX) : attribute(binding.node(), "max");
    long n = y.elements();
    if (x.dtype() == DType.F32) {
      return () -> {
        float low = min == null ? Float.NEGATIVE_INFINITY : (float) min.getDouble(0);
        float high = max == null ? Float.POSITIVE_INFINITY : (float) max.getDouble(0);
        for (long at = 0; at < n * Float.BYTES; at += Float.BYTES) {
          float value = x.data().get(DType.FLOAT, at);
          y.data().set(DType.FLOAT, at, Math.min(high, Math.max(low, value)));
        }
      };
    }
    if (x.dtype().isFloating()) {
      return () -> {
        double low = min == null ? Double.NEGATIVE_INFINITY : min.getDouble(0);
        double high = max == null ? Double.POSITIVE_INFINITY : max.getDouble(0);
        for (long i = 0; i < n; i++) {
          y.setDouble(i, Math.min(high, Math.max(low, x.getDouble(i))));
        }
      };
    }
    return () -> {
      long low = min == null ? Long.MIN_VALUE : min.getLong(0);
      long high = max == null ? Long.MAX_VALUE : max.getLong(0);
      for (long i = 0; i < n; i++) {
        y.setLong(i, Math.min(high, Math.max(low, x.getLong(i))));
      }
    };
  }

  private static Tensor bound(Binding binding, int i) {
    return binding.has(i) ? binding.input(i) : null;
  }

  private static Tensor attribute(Node node, String name) {
    return node.attributes().containsKey(name)
        ? Tensor.of(new float[] {node.floatAttribute(name, 0)})
        : null;
  }
}
