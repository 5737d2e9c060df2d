package dev.filigree.kernel.fused;

import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.Map;

/**
 * The last token of a piece of a sequence: a piece may be filled up behind it, and only a decoder's
 * run knows where.
 *
 * <p>Input: {@code [1, tokens, features]}. Output: {@code [1, 1, features]}.
 */
public final class LastToken implements Operator {
  /** Operator type. */
  public static final String TYPE = "LastToken";

  /** A node. */
  public static Node node(String name, String x, String output) {
    return new Node(name, Node.FUSED, TYPE, List.of(x), List.of(output), Map.of());
  }

  /** The operator, which has no state. */
  public LastToken() {}

  @Override
  public int leastInputs() {
    return 1;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    return List.of(ValueType.of(x.dtype(), List.of(x.dim(0), Dim.ONE, x.dim(2))));
  }

  @Override
  public Kernel bind(Binding binding) {
    throw CachedAttention.stateful(binding.node());
  }
}
