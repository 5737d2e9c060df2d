package dev.filigree.graph.pass;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import java.util.List;
import java.util.Optional;

/**
 * Lets a convolution do what follows it: a product with a number, or one for each channel, goes
 * into its weights and bias, a sum with such numbers into its bias.
 */
final class FoldAffine implements Pass {
  private static final int BIAS = 2;

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
                view
                    .producer(value)
                    .filter(node -> isConvolution(node) && view.isReadOnce(value))
                    .flatMap(
                        convolution ->
                            GraphView.other(last, value)
                                .flatMap(view::tensor)
                                .flatMap(numbers -> fold(last, convolution, numbers, view)))
                    .stream())
        .findFirst();
  }

  private static boolean isConvolution(Node node) {
    return node.is("Conv") || node.is("ConvTranspose") && node.intAttribute("group", 1) == 1;
  }

  private static Optional<Node> fold(Node last, Node convolution, Tensor numbers, GraphView view) {
    Optional<Tensor> weights = view.tensor(convolution.inputs().get(1));
    Optional<Tensor> bias = convolution.input(BIAS).flatMap(view::tensor);
    int axis = convolution.is("Conv") ? 0 : 1;
    boolean fits =
        weights.isPresent()
            && weights.get().shape().rank() > 2
            && weights.get().dtype().isFloating()
            && weights.get().dtype() == numbers.dtype()
            && bias.isPresent() == convolution.input(BIAS).isPresent();
    if (!fits) {
      return Optional.empty();
    }
    int rank = weights.get().shape().rank();
    int channels = (int) weights.get().shape().extent(axis);
    if (!isByChannel(numbers.shape(), rank, channels)) {
      return Optional.empty();
    }
    boolean product = last.is("Mul");
    Tensor shifted = Tensor.zeros(numbers.dtype(), Shape.of(channels));
    for (int c = 0; c < channels; c++) {
      double number = numbers.getDouble(numbers.elements() == 1 ? 0 : c);
      double before = bias.isPresent() ? bias.get().getDouble(c) : 0;
      shifted.setDouble(c, product ? before * number : before + number);
    }
    String w = convolution.inputs().get(1);
    return Optional.of(
        new Node(
            convolution.name(),
            Node.ONNX,
            convolution.type(),
            List.of(
                convolution.inputs().getFirst(),
                product
                    ? view.addConstant(
                        w + "_scaled", new Constant.Plain(scaled(weights.get(), numbers, axis)))
                    : w,
                view.addConstant(w + "_shift", new Constant.Plain(shifted))),
            List.of(last.output()),
            Convolution.folded(convolution)));
  }

  /** Whether numbers broadcast to {@code [batch, channels, ...]} as one, or one a channel. */
  private static boolean isByChannel(Shape shape, int rank, int channels) {
    if (shape.elements() == 1) {
      return shape.rank() <= rank;
    }
    int missing = rank - shape.rank();
    return shape.elements() == channels && missing <= 1 && shape.extent(1 - missing) == channels;
  }

  private static Tensor scaled(Tensor weights, Tensor numbers, int axis) {
    Tensor original = weights.contiguous();
    Tensor scaled = Tensor.zeros(original.dtype(), original.shape());
    long channels = original.shape().extent(axis);
    long inner = 1;
    for (int a = axis + 1; a < original.shape().rank(); a++) {
      inner *= original.shape().extent(a);
    }
    for (long i = 0; i < original.elements(); i++) {
      double number = numbers.getDouble(numbers.elements() == 1 ? 0 : i / inner % channels);
      scaled.setDouble(i, original.getDouble(i) * number);
    }
    return scaled;
  }
}
