package dev.filigree.kernel.fused;

import dev.filigree.UnsupportedException;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.HashMap;
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
 * the root of their mean square, and {@code [heads]} what a sink of each head scores, which takes a
 * share of the softmax and gives nothing (G. Xiao et al., Efficient Streaming Language Models with
 * Attention Sinks, 2023). Output: of q's shape.
 */
public final class CachedAttention implements Operator {
  /** Operator type. */
  public static final String TYPE = "CachedAttention";

  /** Position of the scales of queries among the inputs; those of keys follow. */
  public static final int NORMS = 3;

  /** Position of the sinks' scores among the inputs. */
  public static final int SINKS = NORMS + 2;

  private static final String LAYER = "layer";
  private static final String HEADS = "heads";
  private static final String KEY_HEADS = "key_heads";
  private static final String WINDOW = "window";
  private static final String EPSILON = "epsilon";
  private static final String SCALE = "scale";
  private static final String CAP = "cap";
  private static final String ROTATION = "rotation";
  private static final String NEIGHBOURS = "neighbours";
  private static final String TURNED_FIRST = "turned_first";
  private static final String GROWTH = "growth";
  private static final String STAGE = "stage";
  private static final String SLOPES = "slopes";
  private static final String SLOPE_FACTOR = "slope_factor";
  private static final String ROUNDED = "rounded";
  private static final String FROM_LAST = "from_last";

  /**
   * By how much queries grow with their positions: {@code 1 + rate * log(1 + floor(position /
   * stage))} (Llama 4's temperature of attention).
   *
   * @param rate 0 if they do not
   * @param stage positions after which they grow
   */
  public record Growth(float rate, int stage) {
    /** Queries that do not grow. */
    public static final Growth NONE = new Growth(0, 1);

    /** Factor of a query. */
    public float at(int position) {
      return (float) (1 + rate * Math.log1p(position / stage));
    }
  }

  /**
   * How a layer attends.
   *
   * @param layer which of the cache's layers it has
   * @param heads of queries
   * @param keyHeads heads of keys and values
   * @param window tokens that a token sees, itself the last of them; 0 for all
   * @param epsilon added to mean squares of heads
   * @param scale factor of the products of queries and keys
   * @param cap scores become {@code cap * tanh(score / cap)}; 0 for as they are
   * @param rotation which of the decoder's rotations turns queries and keys; -1 for none
   * @param neighbours whether each feature is turned with its neighbour, not with the one half a
   *     turned part away
   * @param bias added to scores by the places of keys
   * @param sinks whether heads have sinks
   * @param turnedFirst whether heads are turned before they are normalised
   * @param growth of the queries
   */
  public record Form(
      int layer,
      int heads,
      int keyHeads,
      int window,
      float epsilon,
      float scale,
      float cap,
      int rotation,
      boolean neighbours,
      LinearBias bias,
      boolean sinks,
      boolean turnedFirst,
      Growth growth) {
    /** The form of a node. */
    public static Form of(Node node) {
      return new Form(
          Math.toIntExact(node.intAttribute(LAYER, 0)),
          Math.toIntExact(node.intAttribute(HEADS, 1)),
          Math.toIntExact(node.intAttribute(KEY_HEADS, 1)),
          Math.toIntExact(node.intAttribute(WINDOW, 0)),
          node.floatAttribute(EPSILON, 1e-6f),
          node.floatAttribute(SCALE, 1),
          node.floatAttribute(CAP, 0),
          Math.toIntExact(node.intAttribute(ROTATION, 0)),
          node.intAttribute(NEIGHBOURS, 0) != 0,
          node.attributes().get(SLOPES) instanceof Attribute.Reals(List<Float> slopes)
              ? new LinearBias(
                  slopes,
                  node.floatAttribute(SLOPE_FACTOR, 1),
                  node.intAttribute(ROUNDED, 0) != 0,
                  node.intAttribute(FROM_LAST, 0) != 0)
              : LinearBias.NONE,
          node.input(SINKS).isPresent(),
          node.intAttribute(TURNED_FIRST, 0) != 0,
          new Growth(node.floatAttribute(GROWTH, 0), Math.toIntExact(node.intAttribute(STAGE, 1))));
    }

    /** Whether it does no more than Llama's does: halves of heads turned, scores by their width. */
    public boolean isPlain(int width) {
      return cap == 0
          && rotation == 0
          && !neighbours
          && !bias.isPresent()
          && !sinks
          && !turnedFirst
          && growth.rate() == 0
          && Math.abs(scale * Math.sqrt(width) - 1) < 1e-6;
    }
  }

  /** Attention as a node. */
  public static Node node(String name, List<String> inputs, String output, Form form) {
    Map<String, Attribute> attributes =
        new HashMap<>(
            Map.of(
                LAYER, new Attribute.Int(form.layer),
                HEADS, new Attribute.Int(form.heads),
                KEY_HEADS, new Attribute.Int(form.keyHeads),
                WINDOW, new Attribute.Int(form.window),
                EPSILON, new Attribute.Real(form.epsilon),
                SCALE, new Attribute.Real(form.scale),
                CAP, new Attribute.Real(form.cap),
                ROTATION, new Attribute.Int(form.rotation),
                NEIGHBOURS, new Attribute.Int(form.neighbours ? 1 : 0)));
    attributes.put(TURNED_FIRST, new Attribute.Int(form.turnedFirst ? 1 : 0));
    attributes.put(GROWTH, new Attribute.Real(form.growth.rate));
    attributes.put(STAGE, new Attribute.Int(form.growth.stage));
    if (form.bias.isPresent()) {
      attributes.put(SLOPES, new Attribute.Reals(form.bias.slopes()));
      attributes.put(SLOPE_FACTOR, new Attribute.Real(form.bias.factor()));
      attributes.put(ROUNDED, new Attribute.Int(form.bias.rounded() ? 1 : 0));
      attributes.put(FROM_LAST, new Attribute.Int(form.bias.fromLast() ? 1 : 0));
    }
    return new Node(name, Node.FUSED, TYPE, inputs, List.of(output), attributes);
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
