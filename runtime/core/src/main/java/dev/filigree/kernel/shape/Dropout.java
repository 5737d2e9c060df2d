package dev.filigree.kernel.shape;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Dropout at inference, which drops nothing: the output is the input and the mask is all ones. A
 * pass removes it where nobody reads the mask.
 */
public final class Dropout implements Operator {
  /** Position of the flag that asks for training, since operator set 12. */
  private static final int TRAINING = 2;

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    boolean mayTrain =
        inputs
            .type(TRAINING)
            .filter(flag -> flag.content() == null || !flag.content().equals(List.of(Dim.of(0))))
            .isPresent();
    if (mayTrain) {
      throw node.unsupported("drops values as in training", "export the model for inference");
    }
    DType mask = inputs.opset() < 10 ? x.dtype() : DType.BOOL;
    return List.of(x, ValueType.of(mask, x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor y = binding.output();
    Tensor mask = binding.outputs().size() > 1 ? binding.output(1) : null;
    return () -> {
      x.copyTo(y);
      for (long i = 0; mask != null && i < mask.elements(); i++) {
        mask.setDouble(i, 1);
      }
    };
  }
}
