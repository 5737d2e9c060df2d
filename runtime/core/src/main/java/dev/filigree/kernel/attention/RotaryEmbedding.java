package dev.filigree.kernel.attention;

import dev.filigree.Tensor;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import java.util.List;

/**
 * Turns pairs of features by angles of their position (ONNX operator set 23; J. Su et al., 2021).
 *
 * <p>Inputs: x {@code [batch, heads, tokens, width]} or {@code [batch, tokens, heads * width]},
 * cosines and sines {@code [positions, turned / 2]} with positions i64 {@code [batch, tokens]}, or
 * without positions {@code [batch, tokens, turned / 2]}. Output: of x's shape.
 */
public final class RotaryEmbedding implements Operator {
  private static final int POSITIONS = 3;

  /** Without state. */
  public RotaryEmbedding() {}

  @Override
  public int leastInputs() {
    return 3;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    boolean split = x.rank() == 4;
    if (!x.dtype().isFloating() || !split && (x.rank() != 3 || heads(node) < 1)) {
      throw node.problem(
          "turns " + x,
          "pass [batch, heads, tokens, width], or [batch, tokens, all] and num_heads");
    }
    int tables = inputs.type(POSITIONS).isPresent() ? 2 : 3;
    for (int i = 1; i <= 2; i++) {
      if (inputs.required(i).rank() != tables) {
        throw node.problem(
            "turns by " + inputs.required(i), "pass [positions, turned / 2] with positions");
      }
    }
    return List.of(ValueType.of(x.dtype(), x.dims()));
  }

  private static int heads(Node node) {
    return Math.toIntExact(node.intAttribute("num_heads", 0));
  }

  @Override
  public Kernel bind(Binding binding) {
    Node node = binding.node();
    Tensor x = binding.input(0);
    Tensor cos = binding.input(1);
    Tensor sin = binding.input(2);
    Tensor positions = binding.has(POSITIONS) ? binding.input(POSITIONS) : null;
    Tensor y = binding.output();
    HeadAxes axes = HeadAxes.of(x, heads(node));
    long turned = node.intAttribute("rotary_embedding_dim", 0);
    long half = (turned == 0 ? axes.width() : turned) / 2;
    boolean interleaved = node.intAttribute("interleaved", 0) != 0;
    long angles = cos.shape().extent(cos.shape().rank() - 1);
    if (angles != half || 2 * half > axes.width()) {
      throw node.problem(
          "turns " + 2 * half + " of " + axes.width() + " features by " + angles + " angles",
          "give an angle for each pair");
    }
    if (positions != null && positions.elements() != axes.batches() * axes.tokens()) {
      throw node.problem("turns " + x + " by " + positions, "give each token a position");
    }
    return () -> {
      for (long row = 0; row < axes.rows(); row++) {
        long token = axes.batch(row) * axes.tokens() + axes.token(row);
        long position = positions == null ? token : positions.getLong(token);
        if (position < 0 || (position + 1) * half > cos.elements()) {
          throw node.problem(
              "turns by position " + position + " of " + cos.elements() / half,
              "make the table longer");
        }
        long start = axes.start(row);
        for (long i = 0; i < axes.width(); i++) {
          y.setDouble(start + i, x.getDouble(start + i));
        }
        for (long i = 0; i < half; i++) {
          long first = start + (interleaved ? 2 * i : i);
          long second = first + (interleaved ? 1 : half);
          double c = cos.getDouble(position * half + i);
          double s = sin.getDouble(position * half + i);
          double a = x.getDouble(first);
          double b = x.getDouble(second);
          y.setDouble(first, c * a - s * b);
          y.setDouble(second, s * a + c * b);
        }
      }
    };
  }
}
