package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.fused.RootMeanSquare;
import java.util.Optional;

/**
 * Recognises normalisation by the root of the mean square written out: {@code x / sqrt(mean(x^2) +
 * epsilon) * scale} over the last axis, with the division also as a product with the reciprocal of
 * the root.
 */
final class FuseRootMeanSquare implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseRootMeanSquare::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("Mul")) {
      return Optional.empty();
    }
    for (String normal : last.inputs()) {
      Optional<String> scale = GraphView.other(last, normal);
      Optional<Normal> found = view.producer(normal).flatMap(node -> normal(node, view));
      if (scale.isPresent()
          && found.isPresent()
          && FuseLayerNormalization.isVector(scale.get(), found.get().features, view)
          && view.tensor(scale.get()).orElseThrow().dtype() == DType.F32) {
        return Optional.of(
            RootMeanSquare.node(
                last.name(),
                found.get().x,
                scale.get(),
                last.output(),
                (float) found.get().epsilon));
      }
    }
    return Optional.empty();
  }

  private record Normal(String x, double epsilon, long features) {}

  /** What a quotient or product normalises, if it does. */
  private static Optional<Normal> normal(Node node, GraphView view) {
    if (node.is("Div")) {
      return normal(node.inputs().get(0), node.inputs().get(1), view);
    }
    if (!node.is("Mul")) {
      return Optional.empty();
    }
    return node.inputs().stream()
        .flatMap(
            inverse ->
                GraphView.other(node, inverse).stream()
                    .flatMap(
                        x ->
                            inverted(inverse, view).stream()
                                .flatMap(root -> normal(x, root, view).stream())))
        .findFirst();
  }

  /** The value of which another one is the reciprocal. */
  private static Optional<String> inverted(String inverse, GraphView view) {
    Optional<String> reciprocal =
        view.producer(inverse, "Reciprocal").map(node -> node.inputs().getFirst());
    return reciprocal.isPresent()
        ? reciprocal
        : view.producer(inverse, "Div")
            .filter(div -> view.isScalar(div.inputs().get(0), 1))
            .map(div -> div.inputs().get(1));
  }

  private static Optional<Normal> normal(String x, String root, GraphView view) {
    Optional<ValueType> type =
        view.type(x)
            .filter(t -> t.dtype() == DType.F32)
            .filter(t -> t.rank() > 0 && t.dim(-1).isKnown());
    if (type.isEmpty()) {
      return Optional.empty();
    }
    int rank = type.get().rank();
    return view
        .producer(root, "Sqrt")
        .flatMap(sqrt -> view.producer(sqrt.inputs().getFirst(), "Add"))
        .stream()
        .flatMap(
            add ->
                add.inputs().stream()
                    .filter(mean -> isMeanSquare(mean, x, rank, view))
                    .flatMap(mean -> GraphView.other(add, mean).stream()))
        .flatMap(epsilon -> view.scalar(epsilon).stream())
        .map(epsilon -> new Normal(x, epsilon, type.get().dim(-1).value()))
        .findFirst();
  }

  private static boolean isMeanSquare(String value, String x, int rank, GraphView view) {
    return view.producer(value, "ReduceMean")
        .filter(mean -> FuseLayerNormalization.isOverLastAxis(mean, rank, view))
        .flatMap(mean -> view.producer(mean.inputs().getFirst()))
        .filter(square -> square.inputs().getFirst().equals(x))
        .filter(square -> FuseLayerNormalization.squares(square, view))
        .isPresent();
  }
}
