package dev.filigree.graph.pass;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import dev.filigree.graph.Node;
import dev.filigree.kernel.fused.Convolution;
import dev.filigree.weights.ScaledRows;
import dev.filigree.weights.Weights;
import java.util.List;
import java.util.Optional;

/**
 * A convolution, or a transposed one without groups, whose weights and bias can take over what
 * follows: a factor and a summand for each output. Compressed weights stay in their form.
 */
final class ScaledConvolution {
  private static final int BIAS = 2;

  private final Node node;
  private final Constant weights;
  private final Tensor bias;

  private ScaledConvolution(Node node, Constant weights, Tensor bias) {
    this.node = node;
    this.weights = weights;
    this.bias = bias;
  }

  /** The convolution that makes a value which nothing else reads, if all it has is constant. */
  static Optional<ScaledConvolution> behind(String value, GraphView view) {
    return view.producer(value)
        .filter(node -> isConvolution(node) && view.isReadOnce(value))
        .flatMap(node -> of(node, view));
  }

  private static boolean isConvolution(Node node) {
    return node.is("Conv") || node.is("ConvTranspose") && node.intAttribute("group", 1) == 1;
  }

  private static Optional<ScaledConvolution> of(Node node, GraphView view) {
    Optional<Constant> weights = view.constant(node.inputs().get(1));
    Optional<Tensor> bias = node.input(BIAS).flatMap(view::tensor);
    boolean fits =
        weights.isPresent()
            && weights.get().type().rank() > 2
            && weights.get().type().dtype().isFloating()
            && bias.isPresent() == node.input(BIAS).isPresent();
    return fits
        ? Optional.of(new ScaledConvolution(node, weights.get(), bias.orElse(null)))
        : Optional.empty();
  }

  private int axis() {
    return node.is("Conv") ? 0 : 1;
  }

  /** Outputs. */
  int outputs() {
    return (int) weights.type().shape().extent(axis());
  }

  /** The weights' type and extents. */
  Constant weights() {
    return weights;
  }

  /** What the bias adds to an output. */
  double bias(int output) {
    return bias == null ? 0 : bias.getDouble(output);
  }

  /**
   * The node that does what follows too.
   *
   * @param factors of the outputs, or null for none
   * @param shifted the bias from then on, in double
   * @param output it makes
   */
  Node absorbing(double[] factors, double[] shifted, String output, GraphView view) {
    Tensor added = Tensor.zeros(weights.type().dtype(), Shape.of(shifted.length));
    for (int c = 0; c < shifted.length; c++) {
      added.setDouble(c, shifted[c]);
    }
    String w = node.inputs().get(1);
    return new Node(
        node.name(),
        Node.ONNX,
        node.type(),
        List.of(
            node.inputs().getFirst(),
            factors == null ? w : view.addConstant(w + "_scaled", scaled(factors)),
            view.addConstant(w + "_shift", new Constant.Plain(added))),
        List.of(output),
        Convolution.folded(node));
  }

  private Constant scaled(double[] factors) {
    if (weights instanceof Constant.Windowed(Weights rows, Shape shape) && axis() == 0) {
      float[] rounded = new float[factors.length];
      for (int c = 0; c < rounded.length; c++) {
        rounded[c] = (float) factors[c];
      }
      return new Constant.Windowed(ScaledRows.of(rows, rounded), shape);
    }
    Tensor original = weights.toTensor().contiguous();
    Tensor scaled = Tensor.zeros(original.dtype(), original.shape());
    long inner = 1;
    for (int a = axis() + 1; a < original.shape().rank(); a++) {
      inner *= original.shape().extent(a);
    }
    for (long i = 0; i < original.elements(); i++) {
      scaled.setDouble(i, original.getDouble(i) * factors[(int) (i / inner % factors.length)]);
    }
    return new Constant.Plain(scaled);
  }
}
