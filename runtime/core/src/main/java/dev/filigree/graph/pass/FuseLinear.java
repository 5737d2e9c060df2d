package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Linear;
import dev.filigree.weights.Dense;
import dev.filigree.weights.Weights;
import java.util.List;
import java.util.Optional;

/**
 * Recognises products with a constant matrix, MatMul or Gemm, as linear layers with logical {@code
 * [out, in]} weights.
 */
final class FuseLinear implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseLinear::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (last.is("MatMul")) {
      return matMul(last, view);
    }
    if (last.is("Gemm")) {
      return gemm(last, view);
    }
    return Optional.empty();
  }

  private static Optional<Node> matMul(Node node, GraphView view) {
    String x = node.inputs().get(0);
    String w = node.inputs().get(1);
    boolean isMatrix = view.type(x).filter(type -> type.rank() >= 2).isPresent();
    if (!isMatrix || view.constant(x).isPresent()) {
      return Optional.empty();
    }
    return weights(w, true, view).map(weights -> linear(node, x, w, true, weights, "", view));
  }

  private static Optional<Node> gemm(Node node, GraphView view) {
    String x = node.inputs().get(0);
    String w = node.inputs().get(1);
    Optional<String> bias = node.input(2);
    boolean plain =
        node.intAttribute("transA", 0) == 0
            && node.floatAttribute("alpha", 1) == 1
            && (bias.isEmpty() || node.floatAttribute("beta", 1) == 1)
            && view.constant(x).isEmpty();
    if (!plain) {
      return Optional.empty();
    }
    boolean transposed = node.intAttribute("transB", 0) == 0;
    return weights(w, transposed, view)
        .filter(weights -> bias.isEmpty() || isBias(bias.get(), weights.rows(), view))
        .map(weights -> linear(node, x, w, transposed, weights, bias.orElse(""), view));
  }

  /** Whether a value is a constant vector that can be added to each row of an output. */
  static boolean isBias(String value, int outputs, GraphView view) {
    return view.tensor(value)
        .filter(tensor -> tensor.shape().rank() == 1 && tensor.elements() == outputs)
        .filter(tensor -> tensor.dtype().isFloating())
        .isPresent();
  }

  private static Node linear(
      Node node,
      String x,
      String w,
      boolean transposed,
      Weights weights,
      String bias,
      GraphView view) {
    String name = LayerNames.of(w, bias, node.name());
    // the same matrix may serve several layers; each refers to the same memory
    String constant = view.addConstant(w + "_linear", new Constant.Compressed(weights, false));
    return Linear.node(name, List.of(x, constant, bias), node.output(), false, w, transposed);
  }

  /** Logical weights of a constant matrix, a view where possible. */
  private static Optional<Weights> weights(String w, boolean transposed, GraphView view) {
    return view.constant(w)
        .flatMap(
            constant ->
                switch (constant) {
                  case Constant.Compressed(Weights weights, boolean seenTransposed) ->
                      seenTransposed == transposed ? Optional.of(weights) : Optional.empty();
                  case Constant.Plain(Tensor tensor) ->
                      tensor.shape().rank() == 2 && Dense.holds(tensor.dtype())
                          ? Optional.of(new Dense(transposed ? tensor.permute(1, 0) : tensor))
                          : Optional.<Weights>empty();
                  case Constant.Windowed window -> Optional.empty();
                });
  }
}
