package dev.filigree.graph.pass;

import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Lets a convolution with constant weights do the batch normalisation that follows it: weights and
 * bias are scaled and shifted by the statistics, computed in double.
 */
final class FoldBatchNormalization implements Pass {
  private static final int BIAS = 2;

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
    if (!plain) {
      return Optional.empty();
    }
    String value = normalization.inputs().getFirst();
    return view.producer(value)
        .filter(node -> isConvolution(node) && view.isReadOnce(value))
        .flatMap(convolution -> fold(convolution, normalization, view));
  }

  private static boolean isConvolution(Node node) {
    return node.is("Conv") || node.is("ConvTranspose") && node.intAttribute("group", 1) == 1;
  }

  private static Optional<Node> fold(Node convolution, Node normalization, GraphView view) {
    Optional<Tensor> weights = view.tensor(convolution.inputs().get(1));
    Optional<Tensor> bias = convolution.input(BIAS).flatMap(view::tensor);
    List<Tensor> statistics = new ArrayList<>();
    normalization.inputs().stream()
        .skip(1)
        .forEach(name -> view.tensor(name).ifPresent(statistics::add));
    int axis = convolution.is("Conv") ? 0 : 1;
    boolean fits =
        weights.isPresent()
            && weights.get().shape().rank() > 2
            && weights.get().dtype().isFloating()
            && bias.isPresent() == convolution.input(BIAS).isPresent()
            && statistics.size() == 4
            && statistics.stream()
                .allMatch(each -> each.elements() == weights.get().shape().extent(axis));
    if (!fits) {
      return Optional.empty();
    }
    double epsilon = normalization.floatAttribute("epsilon", 1e-5f);
    Tensor scaled = Tensor.zeros(weights.get().dtype(), weights.get().shape());
    Tensor shifted = Tensor.zeros(weights.get().dtype(), statistics.getFirst().shape());
    double[] factors = new double[(int) shifted.elements()];
    for (int c = 0; c < factors.length; c++) {
      factors[c] = at(statistics, 0, c) / Math.sqrt(at(statistics, 3, c) + epsilon);
      double before = bias.isPresent() ? bias.get().getDouble(c) : 0;
      shifted.setDouble(c, at(statistics, 1, c) + (before - at(statistics, 2, c)) * factors[c]);
    }
    Tensor original = weights.get().contiguous();
    long inner = 1;
    for (int a = axis + 1; a < original.shape().rank(); a++) {
      inner *= original.shape().extent(a);
    }
    for (long i = 0; i < original.elements(); i++) {
      scaled.setDouble(i, original.getDouble(i) * factors[(int) (i / inner % factors.length)]);
    }
    String w = convolution.inputs().get(1);
    List<String> inputs =
        List.of(
            convolution.inputs().getFirst(),
            view.addConstant(w + "_normalised", new Constant.Plain(scaled)),
            view.addConstant(w + "_shift", new Constant.Plain(shifted)));
    return Optional.of(
        new Node(
            convolution.name(),
            Node.ONNX,
            convolution.type(),
            inputs,
            List.of(normalization.output()),
            Convolution.folded(convolution)));
  }

  private static double at(List<Tensor> statistics, int which, int channel) {
    return statistics.get(which).getDouble(channel);
  }
}
