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
import java.util.List;
import java.util.Map;

/**
 * Rotary positions (J. Su and others: RoFormer, 2021) of heads that lie beside each other: of each
 * head's first {@code turned} features the halves a and b become {@code a * cos - b * sin} and
 * {@code b * cos + a * sin}; the rest stays.
 *
 * <p>Inputs: x {@code [batch, tokens, heads * width]}; cosines and sines that broadcast to {@code
 * [batch, tokens, turned]}, each half with its own. Output: of x's shape.
 */
public final class Rotary implements Operator {
  /** Operator type. */
  public static final String TYPE = "Rotary";

  private static final String HEADS = "heads";

  /** The turning of a value as a node. */
  public static Node node(String name, String x, String cos, String sin, String output, int heads) {
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        List.of(x, cos, sin),
        List.of(output),
        Map.of(HEADS, new Attribute.Int(heads)));
  }

  /** Number of heads. */
  public static int heads(Node node) {
    return Math.toIntExact(node.intAttribute(HEADS, 1));
  }

  /** The operator, which has no state. */
  public Rotary() {}

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType cos = inputs.required(1);
    if (x.rank() != 3 || cos.rank() == 0 || cos.rank() > 3) {
      throw node.problem("turns " + x + " by " + cos, "pass [batch, tokens, features] by tables");
    }
    Dim turned = cos.dim(-1);
    List<Dim> table = List.of(x.dim(0), x.dim(1), turned);
    ValueType sin = inputs.required(2);
    if (!Broadcast.fits(node, List.of(ValueType.of(x.dtype(), table), cos, sin), table)) {
      throw node.problem(
          "turns " + x + " by " + cos + " and " + sin, "pass tables of x's texts and tokens");
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor cos = binding.input(1);
    Tensor sin = binding.input(2);
    Tensor y = binding.output();
    int heads = heads(binding.node());
    long tokens = x.shape().extent(1);
    int width = (int) (x.shape().extent(2) / heads);
    int turned = (int) cos.shape().extent(-1);
    int half = turned / 2;
    Shape table = Shape.of(x.shape().extent(0), tokens, turned);
    long[] ofCos = Broadcast.strides(cos.shape(), table);
    long[] ofSin = Broadcast.strides(sin.shape(), table);
    long rows = x.shape().extent(0) * tokens * heads;
    return () -> {
      for (long row = 0; row < rows; row++) {
        long token = row / heads;
        long c = token / tokens * ofCos[0] + token % tokens * ofCos[1];
        long s = token / tokens * ofSin[0] + token % tokens * ofSin[1];
        for (int d = 0; d < width; d++) {
          long at = row * width + d;
          if (d >= turned) {
            y.setDouble(at, x.getDouble(at));
            continue;
          }
          double other = d < half ? -x.getDouble(at + half) : x.getDouble(at - half);
          y.setDouble(
              at,
              x.getDouble(at) * cos.getDouble(c + d * ofCos[2])
                  + other * sin.getDouble(s + d * ofSin[2]));
        }
      }
    };
  }
}
