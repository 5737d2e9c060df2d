package dev.filigree.graph.pass;

import dev.filigree.graph.Graph;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Linear;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Lets a linear layer do what follows it: add its bias, add a residual of its output's shape, apply
 * an activation. Only where nothing else reads the intermediate value, since the product would be
 * computed twice.
 */
final class FuseEpilogue implements Pass {
  @Override
  public Graph apply(Graph graph) {
    return GraphView.rewrite(graph, FuseEpilogue::fuse);
  }

  private static Optional<Node> fuse(Node last, GraphView view) {
    if (last.is("Add")) {
      Optional<Node> withBias = first(last, value -> bias(last, value, view));
      return withBias.isPresent() ? withBias : first(last, value -> residual(last, value, view));
    }
    return Epilogue.activation(last)
        .flatMap(
            activation ->
                linear(last.inputs().getFirst(), view)
                    .map(
                        linear ->
                            Linear.extended(
                                linear,
                                linear.name(),
                                linear.inputs(),
                                last.output(),
                                activation)));
  }

  private static Optional<Node> first(Node last, Function<String, Optional<Node>> fusion) {
    return last.inputs().stream().flatMap(value -> fusion.apply(value).stream()).findFirst();
  }

  /** The linear layer that makes a value which nothing else reads and no activation has touched. */
  private static Optional<Node> linear(String value, GraphView view) {
    return view.producer(value)
        .filter(node -> node.isFused(Linear.TYPE))
        .filter(node -> Linear.activation(node) == Activation.NONE)
        .filter(node -> view.isReadOnce(value));
  }

  private static Optional<Node> bias(Node add, String value, GraphView view) {
    Optional<Node> linear = linear(value, view).filter(node -> node.inputs().size() == 3);
    Optional<String> bias = GraphView.other(add, value);
    if (linear.isEmpty() || bias.isEmpty() || linear.get().input(Linear.BIAS).isPresent()) {
      return Optional.empty();
    }
    String weights = linear.get().inputs().get(Linear.WEIGHTS);
    return view.constant(weights)
        .map(constant -> (int) constant.type().dim(0).value())
        .filter(outputs -> FuseLinear.isBias(bias.get(), outputs, view))
        .map(
            outputs ->
                Linear.extended(
                    linear.get(),
                    LayerNames.of(Linear.source(linear.get()), bias.get(), linear.get().name()),
                    List.of(linear.get().inputs().getFirst(), weights, bias.get()),
                    add.output(),
                    Activation.NONE));
  }

  private static Optional<Node> residual(Node add, String value, GraphView view) {
    Optional<Node> linear = linear(value, view).filter(node -> node.inputs().size() == 3);
    Optional<String> residual = GraphView.other(add, value);
    if (linear.isEmpty() || residual.isEmpty()) {
      return Optional.empty();
    }
    Optional<ValueType> own = view.type(add.output());
    Optional<ValueType> other = view.type(residual.get());
    if (own.isEmpty() || other.isEmpty() || !own.get().dims().equals(other.get().dims())) {
      return Optional.empty();
    }
    List<String> inputs = new ArrayList<>(linear.get().inputs());
    inputs.add(residual.get());
    return Optional.of(
        Linear.extended(linear.get(), linear.get().name(), inputs, add.output(), Activation.NONE));
  }
}
