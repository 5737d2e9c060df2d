package dev.filigree.kernel.fused;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * Scaled dot-product attention over several heads: {@code softmax(q k^T * scale / divisor + mask)
 * v} for each head.
 *
 * <p>Inputs: q {@code [batch, queries, heads * width]}, k and v {@code [batch, keys, keyHeads *
 * width]}, optional additive mask that broadcasts to {@code [batch, heads, queries, keys]}. The
 * heads lie beside each other in the last axis, so that nothing is transposed before or after; as
 * many neighbouring heads as there are for each of k and v read the same one (J. Ainslie and
 * others: GQA, 2023). Output: {@code [batch, queries, heads * width]}. A query all of whose keys
 * are masked by minus infinity, or with a score of NaN, gets NaN, or 0 if the node is {@linkplain
 * Form#guarded guarded}.
 */
public final class Attention implements Operator {
  /** Operator type. */
  public static final String TYPE = "Attention";

  /** Position of the mask among the inputs. */
  public static final int MASK = 3;

  private static final String HEADS = "heads";
  private static final String KEY_HEADS = "key_heads";
  private static final String SCALE = "scale";
  private static final String DIVISOR = "divisor";
  private static final String GUARDED = "guarded";

  /**
   * How tokens attend.
   *
   * @param heads heads of the queries, a multiple of keyHeads
   * @param keyHeads heads of the keys and values
   * @param scale factor of the scores
   * @param divisor of the scores, beside their factor: a quotient is rounded as the graph has it,
   *     which a product with the reciprocal is not
   * @param guarded whether weights of 0 take the place of NaN, as in PyTorch's {@code
   *     scaled_dot_product_attention}: of a query that sees no key or has a score that is NaN
   */
  public record Form(int heads, int keyHeads, float scale, float divisor, boolean guarded) {
    /** The head of keys and values that a head of queries reads. */
    public int keyHead(int head) {
      return head / (heads / keyHeads);
    }
  }

  /** Attention as a node; an empty mask name means none. */
  public static Node node(String name, List<String> inputs, String output, Form form) {
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        inputs,
        List.of(output),
        Map.of(
            HEADS, new Attribute.Int(form.heads),
            KEY_HEADS, new Attribute.Int(form.keyHeads),
            SCALE, new Attribute.Real(form.scale),
            DIVISOR, new Attribute.Real(form.divisor),
            GUARDED, new Attribute.Int(form.guarded ? 1 : 0)));
  }

  /** How the tokens of a node attend. */
  public static Form form(Node node) {
    long heads = node.intAttribute(HEADS, 1);
    return new Form(
        Math.toIntExact(heads),
        Math.toIntExact(node.intAttribute(KEY_HEADS, heads)),
        node.floatAttribute(SCALE, 1),
        node.floatAttribute(DIVISOR, 1),
        node.intAttribute(GUARDED, 0) != 0);
  }

  /** The operator, which has no state. */
  public Attention() {}

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType q = inputs.required(0);
    ValueType k = inputs.required(1);
    ValueType v = inputs.required(2);
    Form form = form(node);
    boolean fits =
        q.rank() == 3
            && k.rank() == 3
            && k.dims().equals(v.dims())
            && (!q.dim(0).isKnown() || !k.dim(0).isKnown() || q.dim(0).equals(k.dim(0)));
    if (!fits) {
      throw node.problem(
          "attends from " + q + " to " + k + " and " + v,
          "pass [batch, tokens, features] three times, of one batch");
    }
    inputs
        .type(MASK)
        .ifPresent(
            mask -> {
              List<Dim> scores = List.of(q.dim(0), Dim.of(form.heads), q.dim(1), k.dim(1));
              Broadcast.dims(node, List.of(ValueType.of(q.dtype(), scores), mask));
            });
    return List.of(ValueType.of(q.dtype(), q.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor q = binding.input(0);
    Tensor k = binding.input(1);
    Tensor v = binding.input(2);
    Tensor mask = binding.has(MASK) ? binding.input(MASK) : null;
    Tensor y = binding.output();
    Form form = form(binding.node());
    int heads = form.heads;
    double scale = form.scale / (double) form.divisor;
    int batch = (int) q.shape().extent(0);
    int queries = (int) q.shape().extent(1);
    int keys = (int) k.shape().extent(1);
    int features = (int) q.shape().extent(2);
    int width = features / heads;
    int keyFeatures = width * form.keyHeads;
    long[] steps = new long[4];
    if (mask != null) {
      steps = Broadcast.strides(mask.shape(), Shape.of(batch, heads, queries, keys));
    }
    long[] step = steps;
    double[] scores = new double[keys];
    return () -> {
      for (int b = 0; b < batch; b++) {
        for (int h = 0; h < heads; h++) {
          int keyHead = form.keyHead(h);
          for (int i = 0; i < queries; i++) {
            long query = ((long) b * queries + i) * features + (long) h * width;
            double max = Double.NEGATIVE_INFINITY;
            for (int j = 0; j < keys; j++) {
              long key = ((long) b * keys + j) * keyFeatures + (long) keyHead * width;
              double score = 0;
              for (int d = 0; d < width; d++) {
                score += q.getDouble(query + d) * k.getDouble(key + d);
              }
              score *= scale;
              if (mask != null) {
                score += mask.getDouble(b * step[0] + h * step[1] + i * step[2] + j * step[3]);
              }
              scores[j] = score;
              max = Math.max(max, score);
            }
            double sum = 0;
            for (int j = 0; j < keys; j++) {
              scores[j] = Math.exp(scores[j] - max);
              sum += scores[j];
            }
            boolean none = keys == 0 || form.guarded && Double.isNaN(sum);
            if (none) {
              Arrays.fill(scores, 0);
            }
            for (int d = 0; d < width; d++) {
              double context = 0;
              for (int j = 0; j < keys; j++) {
                long value = ((long) b * keys + j) * keyFeatures + (long) keyHead * width;
                context += scores[j] * v.getDouble(value + d);
              }
              y.setDouble(query + d, context / (none ? 1 : sum));
            }
          }
        }
      }
    };
  }
}
