package dev.filigree.compress.train;

import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.compress.algebra.MatrixProduct;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.fused.Attention;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.kernel.fused.Linear;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** The operations of a graph's nodes. */
final class Operations {
  private static final Map<String, Activation> ACTIVATIONS =
      Map.of("Relu", Activation.RELU, "Tanh", Activation.TANH, "Sigmoid", Activation.SIGMOID);

  private static final Set<String> WITH_PARAMETERS = Set.of(Linear.TYPE, Convolution.TYPE);

  private final MatrixProduct products;
  private final Function<String, Parameter> parameters;
  private final Map<String, Constant> constants;

  /**
   * Makes operations.
   *
   * @param parameters the parameter in the place of a constant
   * @param constants of the graph
   */
  Operations(
      MatrixProduct products,
      Function<String, Parameter> parameters,
      Map<String, Constant> constants) {
    this.products = products;
    this.parameters = parameters;
    this.constants = constants;
  }

  /** Whether gradients flow through a node even if none of its inputs depends on parameters. */
  static boolean hasParameters(Node node) {
    return node.domain().equals(Node.FUSED) && WITH_PARAMETERS.contains(node.type())
        || node.is("LayerNormalization");
  }

  /**
   * The operation of a node.
   *
   * @throws UnsupportedException if gradients cannot flow through it
   */
  Operation of(Node node) {
    if (node.isFused(Linear.TYPE) && !Linear.isDynamic(node)) {
      return linear(node, Linear.activation(node));
    }
    if (node.isFused(Convolution.TYPE)) {
      return new ConvolutionOperation(
          linear(node, Convolution.activation(node)), ConvolutionOperation.Geometry.of(node));
    }
    if (node.isFused(Attention.TYPE) && AttentionOperation.knows(Attention.form(node))) {
      Attention.Form form = Attention.form(node);
      return new AttentionOperation(form.heads(), form.scale() / form.divisor(), products.pool());
    }
    if (node.is("LayerNormalization") && node.intAttribute("axis", -1) == -1) {
      return new NormalizationOperation(
          parameters.apply(node.inputs().get(1)),
          node.input(2).map(parameters).orElse(null),
          node.floatAttribute("epsilon", 1e-5f),
          products.pool());
    }
    if (node.is("MaxPool") && node.outputs().size() == 1) {
      return new PoolingOperation(ConvolutionOperation.Geometry.of(node), products.pool());
    }
    if (node.is("Flatten") && node.intAttribute("axis", 1) == 1) {
      return new FlattenOperation();
    }
    if (node.is("Gather")
        && node.intAttribute("axis", 0) == 1
        && constants.get(node.inputs().get(1)) instanceof Constant.Plain(Tensor place)
        && place.shape().rank() == 0) {
      return new TokenOperation(place.getLong(0));
    }
    if (node.is("Add")) {
      return new SumOperation();
    }
    if (node.domain().equals(Node.ONNX) && ACTIVATIONS.containsKey(node.type())) {
      return new ActivationOperation(ACTIVATIONS.get(node.type()), products.pool());
    }
    throw node.unsupported(
        "cannot be trained through",
        "leave the training stage out; networks of linear layers, convolutions, max pooling,"
            + " attention, layer normalisation, activations and one token of each text can be"
            + " trained");
  }

  private LinearOperation linear(Node node, Activation activation) {
    return new LinearOperation(
        parameters.apply(node.inputs().get(Linear.WEIGHTS)),
        node.input(Linear.BIAS).map(parameters).orElse(null),
        activation,
        products);
  }
}
