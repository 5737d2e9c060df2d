package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Lets a convolution with constant weights do the batch normalisation that follows it: weights and
 * bias are scaled and shifted by the statistics, computed in double.
 */
final class FoldBatchNormalization implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FoldBatchNormalization::fold);
  }

  private static Optional<Node> fold(Node normalization, GraphView view) {
    boolean plain =
        normalization.is("BatchNormalization")
            && normalization.intAttribute("training_mode", 0) == 0
            && normalization.intAttribute("spatial", 1) != 0
            && normalization.outputs().stream().skip(1).allMatch(String::isEmpty);
    return plain
        ? ScaledConvolution.behind(normalization.inputs().getFirst(), view)
            .flatMap(convolution -> fold(convolution, normalization, view))
        : Optional.empty();
  }

  private static Optional<Node> fold(
      ScaledConvolution convolution, Node normalization, GraphView view) {
    List<Tensor> statistics = new ArrayList<>();
    normalization.inputs().stream()
        .skip(1)
        .forEach(name -> view.tensor(name).ifPresent(statistics::add));
    int outputs = convolution.outputs();
    if (statistics.size() != 4
        || !statistics.stream().allMatch(each -> each.elements() == outputs)) {
      return Optional.empty();
    }
    double epsilon = normalization.floatAttribute("epsilon", 1e-5f);
    double[] factors = new double[outputs];
    double[] shifted = new double[outputs];
    for (int c = 0; c < outputs; c++) {
      factors[c] = at(statistics, 0, c) / Math.sqrt(at(statistics, 3, c) + epsilon);
      shifted[c] = at(statistics, 1, c) + (convolution.bias(c) - at(statistics, 2, c)) * factors[c];
    }
    return Optional.of(convolution.absorbing(factors, shifted, normalization.output(), view));
  }

  private static double at(List<Tensor> statistics, int which, int channel) {
    return statistics.get(which).getDouble(channel);
  }
}
