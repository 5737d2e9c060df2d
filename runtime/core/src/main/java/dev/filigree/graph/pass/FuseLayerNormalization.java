package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Recognises layer normalisation written out: {@code (x - mean) / sqrt(mean((x - mean)^2) +
 * epsilon) * scale + bias} over the last axis.
 */
final class FuseLayerNormalization implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseLayerNormalization::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (!last.is("Add")) {
      return Optional.empty();
    }
    for (String product : last.inputs()) {
      Optional<String> bias = GraphView.other(last, product);
      Optional<Node> mul = view.producer(product, "Mul");
      if (bias.isEmpty() || mul.isEmpty()) {
        continue;
      }
      for (String normal : mul.get().inputs()) {
        Optional<String> scale = GraphView.other(mul.get(), normal);
        Optional<Normal> found = view.producer(normal, "Div").flatMap(div -> normal(div, view));
        if (scale.isPresent()
            && found.isPresent()
            && isVector(scale.get(), found.get().features, view)
            && isVector(bias.get(), found.get().features, view)) {
          return Optional.of(
              new Node(
                  last.name(),
                  Node.ONNX,
                  "LayerNormalization",
                  List.of(found.get().x, scale.get(), bias.get()),
                  last.outputs(),
                  Map.of(
                      "axis", new Attribute.Int(-1),
                      "epsilon", new Attribute.Real((float) found.get().epsilon))));
        }
      }
    }
    return Optional.empty();
  }

  private record Normal(String x, double epsilon, long features) {}

  /** What a division normalises, if it does. */
  private static Optional<Normal> normal(Node div, GraphView view) {
    Optional<Node> centred = view.producer(div.inputs().get(0), "Sub");
    Optional<Node> deviation = view.producer(div.inputs().get(1), "Sqrt");
    if (centred.isEmpty() || deviation.isEmpty()) {
      return Optional.empty();
    }
    String x = centred.get().inputs().get(0);
    Optional<ValueType> type = view.type(x).filter(t -> t.rank() > 0 && t.dim(-1).isKnown());
    if (type.isEmpty() || !isMeanOf(centred.get().inputs().get(1), x, type.get().rank(), view)) {
      return Optional.empty();
    }
    int rank = type.get().rank();
    return view.producer(deviation.get().inputs().getFirst(), "Add").stream()
        .flatMap(
            add ->
                add.inputs().stream()
                    .filter(variance -> isVariance(variance, centred.get(), rank, view))
                    .flatMap(variance -> GraphView.other(add, variance).stream()))
        .flatMap(epsilon -> view.scalar(epsilon).stream())
        .map(epsilon -> new Normal(x, epsilon, type.get().dim(-1).value()))
        .findFirst();
  }

  private static boolean isVariance(String value, Node centred, int rank, GraphView view) {
    return view.producer(value, "ReduceMean")
        .filter(mean -> isOverLastAxis(mean, rank, view))
        .flatMap(mean -> view.producer(mean.inputs().getFirst()))
        .filter(square -> isSquare(square, centred, view))
        .isPresent();
  }

  private static boolean isSquare(Node square, Node centred, GraphView view) {
    String base = square.inputs().getFirst();
    // some exporters subtract the mean twice, once for each use
    return squares(square, view)
        && view.producer(base, "Sub")
            .filter(
                sub ->
                    sub == centred
                        || sub.inputs().getFirst().equals(centred.inputs().getFirst())
                            && isMeanOf(
                                sub.inputs().get(1),
                                sub.inputs().getFirst(),
                                view.type(base).map(ValueType::rank).orElse(0),
                                view))
            .isPresent();
  }

  /** Whether a node squares its first input. */
  static boolean squares(Node square, GraphView view) {
    return square.is("Pow") && view.isScalar(square.inputs().get(1), 2)
        || square.is("Mul") && square.inputs().getFirst().equals(square.inputs().get(1));
  }

  private static boolean isMeanOf(String mean, String x, int rank, GraphView view) {
    return view.producer(mean, "ReduceMean")
        .filter(reduce -> reduce.inputs().getFirst().equals(x))
        .filter(reduce -> isOverLastAxis(reduce, rank, view))
        .isPresent();
  }

  static boolean isOverLastAxis(Node reduce, int rank, GraphView view) {
    List<Long> axes =
        reduce.inputs().size() > 1
            ? view.tensor(reduce.inputs().get(1))
                .map(FuseLayerNormalization::longs)
                .orElse(List.of())
            : reduce.intsAttribute("axes").orElse(List.of());
    return reduce.intAttribute("keepdims", 1) != 0
        && axes.size() == 1
        && (axes.getFirst() == -1 || axes.getFirst() == rank - 1);
  }

  private static List<Long> longs(Tensor tensor) {
    return Arrays.stream(tensor.toLongs()).boxed().toList();
  }

  static boolean isVector(String value, long features, GraphView view) {
    return view.tensor(value)
        .filter(tensor -> tensor.shape().rank() == 1 && tensor.elements() == features)
        .isPresent();
  }
}
