package dev.filigree.kernel.fused;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.Map;

/**
 * A gate (N. Shazeer, GLU Variants Improve Transformer, 2020): {@code y = activation(gate) * x},
 * element by element.
 *
 * <p>Inputs: gate and x of one shape. Output: of that shape.
 */
public final class Gated implements Operator {
  /** Operator type. */
  public static final String TYPE = "Gated";

  private static final String ACTIVATION = "activation";

  /** A gate as a node. */
  public static Node node(
      String name, String gate, String x, String output, Activation activation) {
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        List.of(gate, x),
        List.of(output),
        Map.of(ACTIVATION, new Attribute.Text(activation.label())));
  }

  /** What is applied to the gate. */
  public static Activation activation(Node node) {
    return Activation.of(node.textAttribute(ACTIVATION, Activation.SILU.label()));
  }

  /** The operator, which has no state. */
  public Gated() {}

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType gate = inputs.required(0);
    return List.of(ValueType.of(gate.dtype(), gate.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor gate = binding.input(0);
    Tensor x = binding.input(1);
    Tensor y = binding.output();
    Activation activation = activation(binding.node());
    return () -> {
      for (long i = 0; i < y.elements(); i++) {
        y.setDouble(i, activation.apply(gate.getDouble(i)) * x.getDouble(i));
      }
    };
  }
}
