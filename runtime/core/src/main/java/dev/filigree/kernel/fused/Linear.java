package dev.filigree.kernel.fused;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.quant.DynamicQuantizeLinear;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A linear layer with everything that follows it: {@code y = activation(x W^T + bias + residual)}.
 *
 * <p>Inputs: x {@code [..., in]}, W {@code [out, in]}, optional bias {@code [out]}, optional
 * residual of y's shape. With the attribute {@code dynamic}, x is first rounded to the 256 levels
 * that DynamicQuantizeLinear would give it.
 */
public final class Linear implements Operator {
  /** Operator type. */
  public static final String TYPE = "Linear";

  /** Position of the weights among the inputs. */
  public static final int WEIGHTS = 1;

  /** Position of the bias among the inputs. */
  public static final int BIAS = 2;

  /** Position of the residual among the inputs. */
  public static final int RESIDUAL = 3;

  private static final String ACTIVATION = "activation";
  private static final String DYNAMIC = "dynamic";
  private static final String EXACT = "exact";
  private static final String SOURCE = "source";
  private static final String TRANSPOSED = "transposed";

  /**
   * A linear layer as a node.
   *
   * @param inputs x, weights and bias; an empty name is an absent bias
   * @param dynamic whether the input is rounded to 256 levels
   * @param source the constant the weights come from
   * @param transposed whether that constant is {@code [in, out]}
   */
  public static Node node(
      String name,
      List<String> inputs,
      String output,
      boolean dynamic,
      String source,
      boolean transposed) {
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        inputs,
        List.of(output),
        Map.of(
            DYNAMIC, new Attribute.Int(dynamic ? 1 : 0),
            SOURCE, new Attribute.Text(source),
            TRANSPOSED, new Attribute.Int(transposed ? 1 : 0)));
  }

  /** A linear layer of whole numbers: its input may not be rounded. */
  public static Node exact(String name, List<String> inputs, String output, String source) {
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        inputs,
        List.of(output),
        Map.of(
            EXACT, new Attribute.Int(1),
            SOURCE, new Attribute.Text(source),
            TRANSPOSED, new Attribute.Int(1)));
  }

  /** A linear layer that does more than it did. */
  public static Node extended(
      Node linear, String name, List<String> inputs, String output, Activation activation) {
    Map<String, Attribute> attributes = new HashMap<>(linear.attributes());
    attributes.put(ACTIVATION, new Attribute.Text(activation.label()));
    return new Node(name, Node.FUSED, TYPE, inputs, List.of(output), attributes);
  }

  /** The constant of the original graph that the weights come from. */
  public static String source(Node node) {
    return node.textAttribute(SOURCE, "");
  }

  /** Whether the original graph has the weights as {@code [in, out]}. */
  public static boolean isTransposed(Node node) {
    return node.intAttribute(TRANSPOSED, 0) != 0;
  }

  /** What the layer applies to its result. */
  public static Activation activation(Node node) {
    return Activation.of(node.textAttribute(ACTIVATION, Activation.NONE.label()));
  }

  /** Whether the input is rounded to 256 levels of its range first. */
  public static boolean isDynamic(Node node) {
    return node.intAttribute(DYNAMIC, 0) != 0;
  }

  /** Whether the input must be multiplied as it is, whatever the session's precision. */
  public static boolean isExact(Node node) {
    return node.intAttribute(EXACT, 0) != 0;
  }

  /** The operator, which has no state. */
  public Linear() {}

  @Override
  public int leastInputs() {
    return 2;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    ValueType weights = inputs.required(WEIGHTS);
    Dim k = x.dim(-1);
    if (k.isKnown() && !k.equals(weights.dim(1))) {
      throw node.problem(
          "multiplies " + x + " by weights " + weights, "the inner extents must agree");
    }
    List<Dim> dims = new ArrayList<>(x.dims());
    dims.set(dims.size() - 1, weights.dim(0));
    return List.of(ValueType.of(x.dtype(), dims));
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor w = binding.input(WEIGHTS);
    Tensor bias = binding.has(BIAS) ? binding.input(BIAS) : null;
    Tensor residual = binding.has(RESIDUAL) ? binding.input(RESIDUAL) : null;
    Tensor y = binding.output();
    Activation activation = activation(binding.node());
    boolean dynamic = isDynamic(binding.node());
    long in = w.shape().extent(1);
    long out = w.shape().extent(0);
    long rows = out == 0 ? 0 : y.elements() / out;
    return () -> {
      Levels levels = dynamic ? Levels.of(x) : null;
      for (long row = 0; row < rows; row++) {
        for (long o = 0; o < out; o++) {
          double sum = bias == null ? 0 : bias.getDouble(o);
          for (long k = 0; k < in; k++) {
            double value = x.getDouble(row * in + k);
            sum += (dynamic ? levels.round((float) value) : value) * w.getDouble(o * in + k);
          }
          if (residual != null) {
            sum += residual.getDouble(row * out + o);
          }
          y.setDouble(row * out + o, activation.apply(sum));
        }
      }
    };
  }

  /** The levels DynamicQuantizeLinear gives a tensor. */
  private record Levels(float scale, int zeroPoint) {
    static Levels of(Tensor x) {
      float min = 0;
      float max = 0;
      for (long i = 0; i < x.elements(); i++) {
        min = Math.min(min, (float) x.getDouble(i));
        max = Math.max(max, (float) x.getDouble(i));
      }
      float scale = DynamicQuantizeLinear.scale(min, max);
      return new Levels(scale, DynamicQuantizeLinear.zeroPoint(min, scale));
    }

    double round(float x) {
      return (double) (DynamicQuantizeLinear.code(x, scale, zeroPoint) - zeroPoint) * scale;
    }
  }
}
