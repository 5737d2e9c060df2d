package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Recognises GELU in its erf form, {@code 0.5 * x * (1 + erf(x / sqrt(2)))}, with the three factors
 * in any order and grouping.
 */
final class FuseGelu implements Pass {
  /** Type of the fused operator. */
  static final String TYPE = "Gelu";

  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseGelu::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("Mul")) {
      return Optional.empty();
    }
    for (String nested : last.inputs()) {
      Optional<Node> inner = view.producer(nested, "Mul");
      Optional<String> outer = GraphView.other(last, nested);
      if (inner.isPresent() && outer.isPresent()) {
        List<String> factors = new ArrayList<>(inner.get().inputs());
        factors.add(outer.get());
        Optional<String> x = argument(factors, view);
        if (x.isPresent()) {
          return Optional.of(
              new Node(last.name(), Node.FUSED, TYPE, List.of(x.get()), last.outputs(), Map.of()));
        }
      }
    }
    return Optional.empty();
  }

  /** The x of three factors that are 0.5, x and 1 + erf(x / sqrt(2)). */
  private static Optional<String> argument(List<String> factors, GraphView view) {
    for (int half = 0; half < factors.size(); half++) {
      for (int sum = 0; sum < factors.size(); sum++) {
        int rest = 3 - half - sum;
        if (half != sum
            && view.isScalar(factors.get(half), 0.5)
            && isErfOf(factors.get(sum), factors.get(rest), view)) {
          return Optional.of(factors.get(rest));
        }
      }
    }
    return Optional.empty();
  }

  private static boolean isErfOf(String sum, String x, GraphView view) {
    return view.producer(sum, "Add").stream()
        .flatMap(add -> add.inputs().stream().filter(in -> isOneBeside(add, in, view)))
        .flatMap(erf -> view.producer(erf, "Erf").stream())
        .map(erf -> erf.inputs().getFirst())
        .anyMatch(scaled -> isScaled(scaled, x, view));
  }

  private static boolean isOneBeside(Node add, String value, GraphView view) {
    return GraphView.other(add, value).filter(one -> view.isScalar(one, 1)).isPresent();
  }

  private static boolean isScaled(String scaled, String x, GraphView view) {
    Optional<Node> division =
        view.producer(scaled, "Div")
            .filter(div -> div.inputs().getFirst().equals(x))
            .filter(div -> view.isScalar(div.inputs().get(1), Math.sqrt(2)));
    Optional<Node> product =
        view.producer(scaled, "Mul")
            .filter(
                mul ->
                    GraphView.other(mul, x)
                        .filter(factor -> view.isScalar(factor, Math.sqrt(0.5)))
                        .isPresent());
    return division.isPresent() || product.isPresent();
  }
}
