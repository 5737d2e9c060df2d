package dev.filigree.kernel.fused;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.Map;

/**
 * Normalisation by the root of the mean square (B. Zhang and R. Sennrich, 2019): {@code y = x /
 * sqrt(mean(x^2) + epsilon) * scale} over the last axis.
 *
 * <p>Inputs: x {@code [..., features]}, scale {@code [features]}. Output: of x's shape.
 */
public final class RootMeanSquare implements Operator {
  /** Operator type. */
  public static final String TYPE = "RootMeanSquare";

  private static final String EPSILON = "epsilon";

  /** A normalisation as a node. */
  public static Node node(String name, String x, String scale, String output, float epsilon) {
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        List.of(x, scale),
        List.of(output),
        Map.of(EPSILON, new Attribute.Real(epsilon)));
  }

  /** What is added to the mean square. */
  public static float epsilon(Node node) {
    return node.floatAttribute(EPSILON, 1e-6f);
  }

  /** The operator, which has no state. */
  public RootMeanSquare() {}

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor scale = binding.input(1);
    Tensor y = binding.output();
    float epsilon = epsilon(binding.node());
    long features = x.shape().extent(-1);
    return () -> {
      for (long at = 0; at < x.elements(); at += features) {
        double square = 0;
        for (long f = 0; f < features; f++) {
          square += x.getDouble(at + f) * x.getDouble(at + f);
        }
        double root = Math.sqrt(square / features + epsilon);
        for (long f = 0; f < features; f++) {
          y.setDouble(at + f, x.getDouble(at + f) / root * scale.getDouble(f));
        }
      }
    };
  }
}
