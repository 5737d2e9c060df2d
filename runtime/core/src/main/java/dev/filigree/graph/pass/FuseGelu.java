package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Recognises GELU in its erf form, {@code 0.5 * x * (1 + erf(x / sqrt(2)))}, and its approximation
 * {@code 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))}, with the three factors in any
 * order and grouping.
 */
final class FuseGelu implements Pass {
  /** Type of the fused operator. */
  static final String TYPE = "Gelu";

  /** Type of the fused operator of the approximation. */
  static final String BY_TANH = "GeluTanh";

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
        Optional<Node> fused = fused(last, factors, view);
        if (fused.isPresent()) {
          return fused;
        }
      }
    }
    return Optional.empty();
  }

  /** For three factors that are 0.5, x and 1 + erf(x / sqrt(2)), or 1 + tanh of its like. */
  private static Optional<Node> fused(Node last, List<String> factors, GraphView view) {
    for (int half = 0; half < factors.size(); half++) {
      for (int sum = 0; sum < factors.size(); sum++) {
        int rest = 3 - half - sum;
        if (half == sum || !view.isScalar(factors.get(half), 0.5)) {
          continue;
        }
        String x = factors.get(rest);
        boolean byErf =
            beside(factors.get(sum), "Erf", view).anyMatch(given -> isScaled(given, x, view));
        boolean byTanh =
            beside(factors.get(sum), "Tanh", view).anyMatch(given -> isCubic(given, x, view));
        if (byErf || byTanh) {
          String type = byErf ? TYPE : BY_TANH;
          return Optional.of(
              new Node(last.name(), Node.FUSED, type, List.of(x), last.outputs(), Map.of()));
        }
      }
    }
    return Optional.empty();
  }

  /** What a function is applied to of which a sum is one more. */
  private static Stream<String> beside(String sum, String function, GraphView view) {
    return view.producer(sum, "Add").stream()
        .flatMap(add -> add.inputs().stream().filter(in -> isOneBeside(add, in, view)))
        .flatMap(made -> view.producer(made, function).stream())
        .map(made -> made.inputs().getFirst());
  }

  /** Whether a value is sqrt(2 / pi) * (x + 0.044715 * x^3). */
  private static boolean isCubic(String value, String x, GraphView view) {
    return times(value, Math.sqrt(2 / Math.PI), view)
        .flatMap(sum -> view.producer(sum, "Add").stream())
        .flatMap(add -> GraphView.other(add, x).stream())
        .flatMap(cubic -> times(cubic, 0.044715, view))
        .flatMap(cube -> view.producer(cube).stream())
        .anyMatch(cube -> isCube(cube, x, view));
  }

  /** The other factors of a product with a number. */
  private static Stream<String> times(String product, double number, GraphView view) {
    return view.producer(product, "Mul").stream()
        .flatMap(
            mul ->
                mul.inputs().stream()
                    .filter(factor -> view.isScalar(factor, number))
                    .flatMap(factor -> GraphView.other(mul, factor).stream()));
  }

  private static boolean isCube(Node cube, String x, GraphView view) {
    if (cube.is("Pow")) {
      return cube.inputs().getFirst().equals(x) && view.isScalar(cube.inputs().get(1), 3);
    }
    return cube.is("Mul")
        && GraphView.other(cube, x)
            .flatMap(square -> view.producer(square, "Mul"))
            .filter(square -> square.inputs().equals(List.of(x, x)))
            .isPresent();
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
