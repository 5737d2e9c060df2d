package dev.filigree.kernel.fused;

import dev.filigree.Tensor;
import dev.filigree.graph.Attribute;
import dev.filigree.graph.Dim;
import dev.filigree.graph.Node;
import dev.filigree.graph.ValueType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernel.Binding;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Operator;
import dev.filigree.kernel.math.Unary;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * A mixture of experts (N. Shazeer et al., Outrageously Large Neural Networks: The Sparsely-Gated
 * Mixture-of-Experts Layer, 2017): {@code y[t] = sum over e of shares[t, e] * expert_e(x[t])},
 * where an expert with a share of 0 is not computed. What it would make counts nothing, not even if
 * it is no number.
 *
 * <p>Inputs: x {@code [..., hidden]}, shares {@code [..., experts or more]}, and for each expert
 * the weights {@code [out, in]} and the bias {@code [out]}, or an empty name, of its layers, of
 * which there are {@link Form#layers()}. Output: of x's shape.
 */
public final class Experts implements Operator {
  /** Operator type. */
  public static final String TYPE = "Experts";

  /** Position of the shares among the inputs. */
  public static final int SHARES = 1;

  private static final int FIRST_LAYER = 2;

  /** Inputs of a layer: weights and bias. */
  private static final int LAYER_INPUTS = 2;

  private static final String GATE = "gate";
  private static final String ACTIVATION = "activation";
  private static final String ALPHA = "alpha";
  private static final String BETA = "beta";
  private static final String LIMIT = "limit";
  private static final String CHOSEN = "chosen";
  private static final String NAMES = "names";

  /** What an expert does between its first layer and its last. */
  public enum Gate {
    /** The activation alone. */
    NONE,
    /** {@code activation(first) * second} of two layers that read the expert's input. */
    LAYER,
    /** {@link Form#swish} of neighbouring outputs of the first layer. */
    PAIRS,
    /** {@link Form#swish} of the two halves of the first layer's outputs. */
    HALVES;

    /** Whether both factors come from the first layer. */
    public boolean isJoined() {
      return this == PAIRS || this == HALVES;
    }
  }

  /**
   * The form that all experts of a mixture have.
   *
   * @param gate between the first layer and the last
   * @param activation applied to what the first layer makes, unless the gate is joined
   * @param alpha factor within the sigmoid of a joined gate
   * @param beta added to the other factor of a joined gate
   * @param limit bound of both factors of a joined gate
   */
  public record Form(Gate gate, Activation activation, float alpha, float beta, float limit) {
    /** A form whose gate is not joined. */
    public static Form of(Gate gate, Activation activation) {
      return new Form(gate, activation, 1, 0, Float.POSITIVE_INFINITY);
    }

    /** Layers of an expert: the first, the second if there is one, the last. */
    public int layers() {
      return gate == Gate.LAYER ? 3 : 2;
    }

    /** {@code g * sigmoid(alpha * g) * (l + beta)} of bounded factors. */
    public double swish(double gate, double linear) {
      double g = Math.min(gate, limit);
      double l = Math.max(Math.min(linear, limit), -limit);
      return g * Unary.sigmoid(alpha * g) * (l + beta);
    }
  }

  /**
   * A layer of an expert.
   *
   * @param name of the layer
   * @param weights name of the constant
   * @param bias name of the constant, or empty
   */
  public record Layer(String name, String weights, String bias) {}

  /**
   * A mixture as a node.
   *
   * @param inputs x and the shares
   * @param chosen experts that a token has
   * @param layers of all experts, expert by expert
   */
  public static Node node(
      String name, List<String> inputs, String output, Form form, int chosen, List<Layer> layers) {
    List<String> all = new ArrayList<>(inputs);
    for (Layer layer : layers) {
      all.add(layer.weights);
      all.add(layer.bias);
    }
    return new Node(
        name,
        Node.FUSED,
        TYPE,
        all,
        List.of(output),
        Map.of(
            GATE, new Attribute.Text(form.gate.name()),
            ACTIVATION, new Attribute.Text(form.activation.label()),
            ALPHA, new Attribute.Real(form.alpha),
            BETA, new Attribute.Real(form.beta),
            LIMIT, new Attribute.Real(form.limit),
            CHOSEN, new Attribute.Int(chosen),
            NAMES, new Attribute.Texts(layers.stream().map(Layer::name).toList())));
  }

  /** The form of a node's experts. */
  public static Form form(Node node) {
    return new Form(
        Gate.valueOf(node.textAttribute(GATE, Gate.NONE.name())),
        Activation.of(node.textAttribute(ACTIVATION, Activation.NONE.label())),
        node.floatAttribute(ALPHA, 1),
        node.floatAttribute(BETA, 0),
        node.floatAttribute(LIMIT, Float.POSITIVE_INFINITY));
  }

  /** Experts that a token has. */
  public static int chosen(Node node) {
    return Math.toIntExact(node.intAttribute(CHOSEN, 1));
  }

  /** The layers of all experts, expert by expert. */
  public static List<Layer> layers(Node node) {
    List<String> names =
        node.attributes().get(NAMES) instanceof Attribute.Texts(List<String> texts)
            ? texts
            : List.of();
    List<Layer> layers = new ArrayList<>();
    for (int i = 0; i < (node.inputs().size() - FIRST_LAYER) / LAYER_INPUTS; i++) {
      layers.add(
          new Layer(
              i < names.size() ? names.get(i) : node.name() + "/" + i,
              node.inputs().get(FIRST_LAYER + LAYER_INPUTS * i),
              node.inputs().get(FIRST_LAYER + LAYER_INPUTS * i + 1)));
    }
    return layers;
  }

  /** The operator, which has no state. */
  public Experts() {}

  @Override
  public int leastInputs() {
    return FIRST_LAYER;
  }

  @Override
  public List<ValueType> infer(Node node, Inputs inputs) {
    ValueType x = inputs.required(0);
    int count = (node.inputs().size() - FIRST_LAYER) / LAYER_INPUTS;
    if (count == 0 || count % form(node).layers() != 0) {
      throw node.problem("has " + count + " layers", "give each expert the same layers");
    }
    ValueType weights = inputs.required(FIRST_LAYER);
    if (x.dim(-1).isKnown() && !x.dim(-1).equals(weights.dim(1))) {
      throw node.problem(
          "multiplies " + x + " by weights " + weights, "the inner extents must agree");
    }
    return List.of(ValueType.of(x.dtype(), tokens(node, x, inputs.required(SHARES))));
  }

  /** The extents of x and shares that stand for tokens agree, but may have different names. */
  private static List<Dim> tokens(Node node, ValueType x, ValueType shares) {
    List<Dim> columns = new ArrayList<>(shares.dims());
    columns.set(columns.size() - 1, Dim.ONE);
    ValueType column = ValueType.of(x.dtype(), columns);
    List<Dim> dims = Broadcast.dims(node, List.of(x, column));
    Dim elements = Dim.product(x.dims());
    Dim wanted = Dim.product(columns).times(x.dim(-1));
    boolean known = elements.isKnown() && wanted.isKnown();
    if (known && !(elements.equals(wanted) && elements.equals(Dim.product(dims)))) {
      throw node.problem(
          "mixes " + x + " by the shares " + shares, "give each token a share of each expert");
    }
    return dims;
  }

  @Override
  public Kernel bind(Binding binding) {
    Tensor x = binding.input(0);
    Tensor shares = binding.input(SHARES);
    Tensor y = binding.output();
    int hidden = (int) x.shape().extent(-1);
    int columns = (int) shares.shape().extent(-1);
    Form form = form(binding.node());
    int experts = layers(binding.node()).size() / form.layers();
    long tokens = hidden == 0 ? 0 : x.elements() / hidden;
    return () -> {
      double[] token = new double[hidden];
      for (long t = 0; t < tokens; t++) {
        double[] sum = new double[hidden];
        for (int i = 0; i < hidden; i++) {
          token[i] = x.getDouble(t * hidden + i);
        }
        for (int e = 0; e < experts; e++) {
          double share = shares.getDouble(t * columns + e);
          if (share != 0) {
            double[] made = expert(binding, form, e, token);
            for (int i = 0; i < hidden; i++) {
              sum[i] += share * made[i];
            }
          }
        }
        for (int i = 0; i < hidden; i++) {
          y.setDouble(t * hidden + i, sum[i]);
        }
      }
    };
  }

  private static double[] expert(Binding binding, Form form, int expert, double[] x) {
    int layer = expert * form.layers();
    double[] first = layer(binding, layer, x);
    double[] inner = first;
    if (form.gate.isJoined()) {
      int width = first.length / 2;
      inner = new double[width];
      for (int i = 0; i < width; i++) {
        boolean pairs = form.gate == Gate.PAIRS;
        inner[i] = form.swish(first[pairs ? 2 * i : i], first[pairs ? 2 * i + 1 : width + i]);
      }
    } else {
      Arrays.setAll(first, i -> form.activation.apply(first[i]));
    }
    if (form.gate == Gate.LAYER) {
      double[] second = layer(binding, layer + 1, x);
      Arrays.setAll(inner, i -> first[i] * second[i]);
    }
    return layer(binding, layer + form.layers() - 1, inner);
  }

  private static double[] layer(Binding binding, int layer, double[] x) {
    int input = FIRST_LAYER + LAYER_INPUTS * layer;
    Tensor weights = binding.input(input);
    Tensor bias = binding.has(input + 1) ? binding.input(input + 1) : null;
    double[] y = new double[(int) weights.shape().extent(0)];
    for (int o = 0; o < y.length; o++) {
      double sum = bias == null ? 0 : bias.getDouble(o);
      for (int k = 0; k < x.length; k++) {
        sum += x[k] * weights.getDouble((long) o * x.length + k);
      }
      y[o] = sum;
    }
    return y;
  }
}
