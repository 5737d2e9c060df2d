package dev.filigree.kernel.fused;

import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;
import java.util.Map;

/**
 * Attention of a piece of a sequence to itself and to everything before it, of which the keys and
 * values lie in a cache. Queries and keys are turned by rotary positions; the piece's own keys and
 * values are added to the cache. Several heads of queries may share one of keys (J. Ainslie et al.,
 * GQA, 2023).
 *
 * <p>Inputs: q {@code [1, tokens, heads * width]}, k and v {@code [1, tokens, keyHeads * width]},
 * and optionally the scales {@code [width]} of a normalisation of each head's queries and keys by
 * the root of their mean square. Output: of q's shape.
 */
public final class CachedAttention implements Operator {
  /** Operator type. */
  public static final String TYPE = "CachedAttention";

  /** Position of the scales of queries among the inputs; those of keys follow. */
  public static final int NORMS = 3;

  private static final String LAYER = "layer";
  private static final String HEADS = "heads";
  private static final String KEY_HEADS = "key_heads";
  private static final String WINDOW = "window";
  private static final String EPSILON = "epsilon";

  /**
   * Attention as a node.
   *
   * @param window tokens that a token sees, itself the last of them; 0 for all
   */
  public static Node node(
      String name,
      List<String> inputs,
      String output,
      int layer,
      int heads,
      int keyHeads,
      int window,
      float epsilon) {
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        inputs,
        List.of(output),
        Map.of(
            LAYER, new Attribute.Int(layer),
            HEADS, new Attribute.Int(heads),
            KEY_HEADS, new Attribute.Int(keyHeads),
            WINDOW, new Attribute.Int(window),
            EPSILON, new Attribute.Real(epsilon)));
  }

  /** Which of the cache's layers it has. */
  public static int layer(Node node) {
    return Math.toIntExact(node.intAttribute(LAYER, 0));
  }

  /** Heads of queries. */
  public static int heads(Node node) {
    return Math.toIntExact(node.intAttribute(HEADS, 1));
  }

  /** Heads of keys and values. */
  public static int keyHeads(Node node) {
    return Math.toIntExact(node.intAttribute(KEY_HEADS, 1));
  }

  /** Tokens that a token sees, itself the last of them; 0 for all. */
  public static int window(Node node) {
    return Math.toIntExact(node.intAttribute(WINDOW, 0));
  }

  /** What is added to mean squares of heads. */
  public static float epsilon(Node node) {
    return node.floatAttribute(EPSILON, 1e-6f);
  }

  /** The operator; its state is the run's. */
  public CachedAttention() {}

  @Override
  public int leastInputs() {
    return NORMS;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType q = inputs.required(0);
    ValueType k = inputs.required(1);
    if (q.rank() != 3 || !k.dims().equals(inputs.required(2).dims())) {
      throw node.problem(
          "attends from " + q + " to " + k + " and " + inputs.required(2),
          "pass [1, tokens, features] three times");
    }
    return List.of(ValueType.of(q.dtype(), q.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    throw stateful(binding.node());
  }

  static UnsupportedException stateful(Node node) {
    return node.unsupported("needs a cache", "run it by dev.filigree.Decoder");
  }
}
