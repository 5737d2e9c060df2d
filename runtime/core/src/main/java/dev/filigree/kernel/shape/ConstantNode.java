package dev.filigree.kernel.shape;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/** A constant written as a node; loading turns it into a constant of the graph. */
public final class ConstantNode implements Operator {
  /** The constant of a node. */
  public static Tensor value(Node node) {
    Attribute attribute = node.attributes().values().stream().findFirst().orElse(null);
    return switch (attribute) {
      case Attribute.Array(Tensor tensor) -> tensor;
      case Attribute.Int(long value) -> Tensor.of(new long[] {value});
      case Attribute.Real(float value) -> Tensor.of(new float[] {value});
      case Attribute.Ints(List<Long> values) ->
          Tensor.of(values.stream().mapToLong(Long::longValue).toArray(), values.size());
      case Attribute.Reals(List<Float> values) -> {
        float[] array = new float[values.size()];
        for (int i = 0; i < array.length; i++) {
          array[i] = values.get(i);
        }
        yield Tensor.of(array, array.length);
      }
      case null, default -> throw node.unsupported("holds no number", "use a numeric constant");
    };
  }

  @Override
  public int leastInputs() {
    return 0;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    return List.of(ValueType.of(value(node)));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor value = value(binding.node());
    return () -> value.copyTo(binding.output());
  }
}
