package dev.filigree.graph.pass;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.weights.Weights;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Gives convolutions of images with constant f32 weights a form of their own, with logical {@code
 * [out, kernel height * kernel width * channels]} weights, so that 2:4 groups run along channels;
 * then lets them add a residual and apply an activation.
 */
final class FuseConvolution implements Pass {
  @Override
  public Graph apply(Graph graph) {
    Graph recognised = GraphView.rewrite(graph, FuseConvolution::recognise);
    return GraphView.rewrite(recognised, FuseConvolution::extend);
  }

  private static Optional<Node> recognise(Node node, GraphView view) {
    if (!node.is("Conv")) {
      return Optional.empty();
    }
    Optional<Constant> weights = view.constant(node.inputs().get(1));
    Optional<ValueType> x = view.type(node.inputs().getFirst());
    boolean fits =
        weights.isPresent()
            && weights.get().type().rank() >= 3
            && weights.get().type().rank() <= 4
            && weights.get().type().dtype() == DType.F32
            && weights.get().type().shape().elements() > 0
            && x.isPresent()
            && view.constant(node.inputs().getFirst()).isEmpty()
            && (node.input(2).isEmpty()
                || view.tensor(node.inputs().get(2))
                    .filter(bias -> bias.dtype() == DType.F32)
                    .isPresent());
    if (!fits) {
      return Optional.empty();
    }
    Shape shape = weights.get().type().shape();
    Weights rows =
        weights.get() instanceof Constant.Windowed(Weights compressed, Shape seen)
            ? compressed
            : Convolution.packedRows(weights.get().toTensor());
    String constant =
        view.addConstant(node.inputs().get(1) + "_rows", new Constant.Compressed(rows, false));
    String name = LayerNames.of(Convolution.weights(node), node.input(2).orElse(""), node.name());
    return Optional.of(
        Convolution.node(
            node,
            name,
            constant,
            shape.rank() == 3
                ? List.of(shape.extent(2))
                : List.of(shape.extent(2), shape.extent(3))));
  }

  private static Optional<Node> extend(Node last, GraphView view) {
    if (last.is("Add")) {
      return last.inputs().stream()
          .flatMap(value -> residual(last, value, view).stream())
          .findFirst();
    }
    return Epilogue.activation(last)
        .flatMap(
            activation ->
                convolution(last.inputs().getFirst(), view)
                    .map(
                        node ->
                            Convolution.extended(node, node.inputs(), last.output(), activation)));
  }

  /** The convolution that makes a value which nothing else reads and no activation has touched. */
  private static Optional<Node> convolution(String value, GraphView view) {
    return view.producer(value)
        .filter(node -> node.isFused(Convolution.TYPE))
        .filter(node -> Convolution.activation(node) == Activation.NONE)
        .filter(node -> view.isReadOnce(value));
  }

  private static Optional<Node> residual(Node add, String value, GraphView view) {
    Optional<Node> node =
        convolution(value, view).filter(each -> each.inputs().size() == Convolution.RESIDUAL);
    Optional<String> residual = GraphView.other(add, value);
    if (node.isEmpty() || residual.isEmpty()) {
      return Optional.empty();
    }
    Optional<ValueType> own = view.type(add.output());
    Optional<ValueType> other = view.type(residual.get());
    if (own.isEmpty() || other.isEmpty() || !own.get().dims().equals(other.get().dims())) {
      return Optional.empty();
    }
    List<String> inputs = new ArrayList<>(node.get().inputs());
    inputs.add(residual.get());
    return Optional.of(Convolution.extended(node.get(), inputs, add.output(), Activation.NONE));
  }
}
