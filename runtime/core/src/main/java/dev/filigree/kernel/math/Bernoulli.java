package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.OnnxTypes;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.SplittableRandom;

/** Ones with the probabilities of the input, and zeros; seeded as {@link RandomNumbers} are. */
public record Bernoulli() implements Operator {
  @Override
  public boolean isRandom() {
    return true;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    DType dtype =
        node.attributes().containsKey("dtype")
            ? OnnxTypes.dtype(
                node.intAttribute("dtype", 1),
                type -> node.unsupported("makes " + type, "use a number type"))
            : inputs.required(0).dtype();
    return List.of(ValueType.of(dtype, inputs.required(0).dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor probability = binding.input(0);
    Tensor y = binding.output();
    SplittableRandom random = RandomNumbers.generator(binding.node());
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        y.setDouble(i, random.nextDouble() < probability.getDouble(i) ? 1 : 0);
      }
    };
  }
}
