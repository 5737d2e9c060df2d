package dev.filigree.kernel.recurrent;

import dev.filigree.graph.Attribute;
import dev.filigree.graph.Node;
import dev.filigree.kernel.math.Unary;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleUnaryOperator;

/** Activations that recurrent layers name in their attributes. */
final class CellActivations {
  private CellActivations() {}

  /**
   * The activations of a direction.
   *
   * @param defaults those of a direction that names none
   */
  static List<DoubleUnaryOperator> of(Node node, List<String> defaults, int direction) {
    List<String> names = List.of();
    if (node.attributes().get("activations") instanceof Attribute.Texts(List<String> texts)) {
      names = texts;
    }
    int count = defaults.size();
    if (!names.isEmpty() && names.size() != count && names.size() != 2 * count) {
      throw node.problem("has the activations " + names, "give " + count + " for each direction");
    }
    List<Float> alphas = reals(node, "activation_alpha");
    List<Float> betas = reals(node, "activation_beta");
    int alpha = 0;
    int beta = 0;
    List<DoubleUnaryOperator> all = new ArrayList<>();
    for (int i = 0; i < Math.max(count, names.size()); i++) {
      String name = names.isEmpty() ? defaults.get(i) : names.get(i);
      // parameters stand in the order of the activations that take them
      boolean takesAlpha = takesAlpha(name);
      boolean takesBeta = takesBeta(name);
      double a = takesAlpha && alpha < alphas.size() ? alphas.get(alpha) : Double.NaN;
      double b = takesBeta && beta < betas.size() ? betas.get(beta) : Double.NaN;
      alpha += takesAlpha ? 1 : 0;
      beta += takesBeta ? 1 : 0;
      all.add(function(node, name, a, b));
    }
    int first = all.size() == count ? 0 : direction * count;
    return all.subList(first, first + count);
  }

  private static List<Float> reals(Node node, String attribute) {
    return node.attributes().get(attribute) instanceof Attribute.Reals(List<Float> values)
        ? values
        : List.of();
  }

  private static boolean takesAlpha(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu" -> true;
      default -> false;
    };
  }

  private static boolean takesBeta(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "affine", "scaledtanh", "hardsigmoid" -> true;
      default -> false;
    };
  }

  private static DoubleUnaryOperator function(Node node, String name, double a, double b) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "tanh" -> Math::tanh;
      case "sigmoid" -> Unary::sigmoid;
      case "relu" -> x -> Math.max(x, 0);
      case "softsign" -> x -> x / (1 + Math.abs(x));
      case "softplus" -> Unary::softplus;
      case "affine" -> x -> or(a, 1) * x + or(b, 0);
      case "leakyrelu" -> x -> x < 0 ? or(a, 0.01) * x : x;
      case "thresholdedrelu" -> x -> x >= or(a, 1) ? x : 0;
      case "scaledtanh" -> x -> or(a, 1) * Math.tanh(or(b, 1) * x);
      case "hardsigmoid" -> x -> Math.clamp(or(a, 0.2) * x + or(b, 0.5), 0.0, 1.0);
      case "elu" -> x -> x < 0 ? or(a, 1) * Math.expm1(x) : x;
      default -> throw node.unsupported("activates by '" + name + "'", "use Sigmoid or Tanh");
    };
  }

  private static double or(double value, double otherwise) {
    return Double.isNaN(value) ? otherwise : value;
  }
}
