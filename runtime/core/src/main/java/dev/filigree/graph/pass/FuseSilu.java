package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Recognises {@code x * sigmoid(x)}, also called swish (arXiv 1702.03118), with the factor 1 that
 * some exporters write between the two.
 */
final class FuseSilu implements Pass {
  /** Type of the fused operator. */
  static final String TYPE = "Silu";

  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseSilu::fuse);
  }

  private static Optional<Node> fuse(Node product, GraphView view) {
    if (!product.is("Mul")) {
      return Optional.empty();
    }
    return product.inputs().stream()
        .flatMap(gate -> argument(product, gate, view).stream())
        .findFirst()
        .map(
            x ->
                new Node(
                    product.name(), Node.FUSED, TYPE, List.of(x), product.outputs(), Map.of()));
  }

  /** The x of a product whose other factor is its sigmoid. */
  private static Optional<String> argument(Node product, String gate, GraphView view) {
    Optional<String> x = GraphView.other(product, gate);
    return view.producer(gate, "Sigmoid")
        .map(sigmoid -> sigmoid.inputs().getFirst())
        .filter(given -> x.isPresent() && (given.equals(x.get()) || isOnce(given, x.get(), view)))
        .flatMap(given -> x);
  }

  /** Whether a value is another one times 1. */
  private static boolean isOnce(String value, String x, GraphView view) {
    return view.producer(value, "Mul")
        .flatMap(product -> GraphView.other(product, x))
        .filter(factor -> view.scalar(factor).filter(one -> one == 1).isPresent())
        .isPresent();
  }
}
