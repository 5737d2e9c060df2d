package dev.filigree.kernel.recurrent;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.kernel.math.Unary;
import java.util.ArrayList;
import java.util.List;

/**
 * An activation that a recurrent layer names in its attributes.
 *
 * @param alpha its parameter of that name, or 0
 * @param beta its parameter of that name, or 0
 */
public record CellActivation(Function function, float alpha, float beta) {
  /** The functions, in the order of the device kernels' codes ({@code activations.cuh}). */
  public enum Function {
    SIGMOID,
    TANH,
    RELU,
    SOFTSIGN,
    SOFTPLUS,
    AFFINE(1, 0),
    LEAKYRELU(0.01f),
    THRESHOLDEDRELU(1),
    SCALEDTANH(1, 1),
    HARDSIGMOID(0.2f, 0.5f),
    ELU(1);

    private final float[] defaults;

    /**
     * @param defaults of alpha and beta, as many as it takes
     */
    Function(float... defaults) {
      this.defaults = defaults;
    }

    private static Function of(Node node, String name) {
      for (Function each : values()) {
        if (each.name().equalsIgnoreCase(name)) {
          return each;
        }
      }
      throw node.unsupported("activates by '" + name + "'", "use Sigmoid or Tanh");
    }
  }

  /**
   * The activations of a direction.
   *
   * @param kind whose own stand in where the node names none
   */
  public static List<CellActivation> of(Node node, Recurrent kind, int direction) {
    List<String> usual = kind.activations();
    List<String> names = List.of();
    if (node.attributes().get("activations") instanceof Attribute.Texts(List<String> texts)) {
      names = texts;
    }
    int count = usual.size();
    if (!names.isEmpty() && names.size() != count && names.size() != 2 * count) {
      throw node.problem("has the activations " + names, "give " + count + " for each direction");
    }
    List<Float> alphas = reals(node, "activation_alpha");
    List<Float> betas = reals(node, "activation_beta");
    int alpha = 0;
    int beta = 0;
    List<CellActivation> all = new ArrayList<>();
    for (String name : names.isEmpty() ? usual : names) {
      Function function = Function.of(node, name);
      // parameters stand in the order of the activations that take them
      float a = 0;
      float b = 0;
      if (function.defaults.length > 0) {
        a = alpha < alphas.size() ? alphas.get(alpha) : function.defaults[0];
        alpha++;
      }
      if (function.defaults.length > 1) {
        b = beta < betas.size() ? betas.get(beta) : function.defaults[1];
        beta++;
      }
      all.add(new CellActivation(function, a, b));
    }
    int first = all.size() == count ? 0 : direction * count;
    return all.subList(first, first + count);
  }

  private static List<Float> reals(Node node, String attribute) {
    return node.attributes().get(attribute) instanceof Attribute.Reals(List<Float> values)
        ? values
        : List.of();
  }

  double apply(double x) {
    return switch (function) {
      case SIGMOID -> Unary.sigmoid(x);
      case TANH -> Math.tanh(x);
      case RELU -> Math.max(x, 0);
      case SOFTSIGN -> x / (1 + Math.abs(x));
      case SOFTPLUS -> Unary.softplus(x);
      case AFFINE -> alpha * x + beta;
      case LEAKYRELU -> x < 0 ? alpha * x : x;
      case THRESHOLDEDRELU -> x >= alpha ? x : 0;
      case SCALEDTANH -> alpha * Math.tanh(beta * x);
      case HARDSIGMOID -> Math.clamp(alpha * x + beta, 0.0, 1.0);
      case ELU -> x < 0 ? alpha * Math.expm1(x) : x;
    };
  }
}
