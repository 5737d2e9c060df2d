package dev.filigree.graph.pass;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import java.util.Optional;

/**
 * Lets a convolution do what follows it: a product with a number, or one for each channel, goes
 * into its weights and bias, a sum with such numbers into its bias.
 */
final class FoldAffine implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FoldAffine::fold);
  }

  private static Optional<Node> fold(Node last, GraphView view) {
    if (!last.is("Mul") && !last.is("Add")) {
      return Optional.empty();
    }
    return last.inputs().stream()
        .flatMap(
            value ->
                ScaledConvolution.behind(value, view)
                    .flatMap(
                        convolution ->
                            GraphView.other(last, value)
                                .flatMap(view::tensor)
                                .flatMap(numbers -> fold(last, convolution, numbers, view)))
                    .stream())
        .findFirst();
  }

  private static Optional<Node> fold(
      Node last, ScaledConvolution convolution, Tensor numbers, GraphView view) {
    ValueType weights = convolution.weights().type();
    int channels = convolution.outputs();
    if (weights.dtype() != numbers.dtype()
        || !isByChannel(numbers.shape(), weights.rank(), channels)) {
      return Optional.empty();
    }
    boolean product = last.is("Mul");
    double[] factors = new double[channels];
    double[] shifted = new double[channels];
    for (int c = 0; c < channels; c++) {
      factors[c] = numbers.getDouble(numbers.elements() == 1 ? 0 : c);
      double before = convolution.bias(c);
      shifted[c] = product ? before * factors[c] : before + factors[c];
    }
    return Optional.of(
        convolution.absorbing(product ? factors : null, shifted, last.output(), view));
  }

  /** Whether numbers broadcast to {@code [batch, channels, ...]} as one, or one a channel. */
  private static boolean isByChannel(Shape shape, int rank, int channels) {
    if (shape.elements() == 1) {
      return shape.rank() <= rank;
    }
    int missing = rank - shape.rank();
    return shape.elements() == channels && missing <= 1 && shape.extent(1 - missing) == channels;
  }
}
