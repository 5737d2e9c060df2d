package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Recognises {@code x * clip(x + 3, 0, 6) / 6}, which exporters of older operator sets write out,
 * as HardSwish (arXiv 1905.02244).
 */
final class FuseHardSwish implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseHardSwish::fuse);
  }

  private static Optional<Node> fuse(Node division, GraphView view) {
    if (!division.is("Div") || !view.isScalar(division.inputs().get(1), 6)) {
      return Optional.empty();
    }
    return view.producer(division.inputs().getFirst(), "Mul")
        .filter(product -> view.isReadOnce(product.output()))
        .flatMap(
            product ->
                product.inputs().stream()
                    .flatMap(value -> clipped(product, value, view).stream())
                    .findFirst())
        .map(
            x ->
                new Node(
                    division.name(),
                    Node.ONNX,
                    "HardSwish",
                    List.of(x),
                    List.of(division.output()),
                    Map.of()));
  }

  /** The other factor of a product, if this one is {@code clip(x + 3, 0, 6)} of it. */
  private static Optional<String> clipped(Node product, String value, GraphView view) {
    Optional<String> x = GraphView.other(product, value);
    return view.producer(value, "Clip")
        .filter(clip -> view.isReadOnce(value) && isFromZeroToSix(clip, view))
        .flatMap(clip -> view.producer(clip.inputs().getFirst(), "Add"))
        .filter(add -> view.isReadOnce(add.output()))
        .filter(add -> x.isPresent() && GraphView.other(add, x.get()).isPresent())
        .filter(add -> view.isScalar(GraphView.other(add, x.get()).orElseThrow(), 3))
        .flatMap(add -> x);
  }

  private static boolean isFromZeroToSix(Node clip, GraphView view) {
    if (view.opset() < 11) {
      return clip.floatAttribute("min", -1) == 0 && clip.floatAttribute("max", -1) == 6;
    }
    return clip.input(1).filter(least -> view.isScalar(least, 0)).isPresent()
        && clip.input(2).filter(most -> view.isScalar(most, 6)).isPresent();
  }
}
