package dev.filigree.graph.pass;

import java.util.regex.Pattern;

/**
 * Names of linear layers for reports, recipes and files. Exporters keep the name of a bias and lose
 * that of a transposed weight, so the name is taken from whichever still says something.
 */
final class LayerNames {
  /** Names that exporters make up, such as {@code onnx::MatMul_787} or {@code 787}. */
  private static final Pattern INVENTED =
      Pattern.compile("(onnx::.*|\\d+|_?v?al_\\d+|.*_transposed)");

  private LayerNames() {}

  /**
   * The name of a layer.
   *
   * @param weight name of its weights
   * @param bias name of its bias, or empty
   * @param node name of the node
   */
  static String of(String weight, String bias, String node) {
    if (weight.endsWith(".weight")) {
      return without(weight, ".weight");
    }
    if (bias.endsWith(".bias")) {
      return without(bias, ".bias");
    }
    if (!INVENTED.matcher(weight).matches() && !weight.contains("/")) {
      return weight;
    }
    if (!node.contains("/")) {
      return node;
    }
    String path = node.startsWith("/") ? node.substring(1) : node;
    int last = path.lastIndexOf('/');
    return last < 0 ? path : path.substring(0, last).replace('/', '.');
  }

  private static String without(String name, String suffix) {
    return name.substring(0, name.length() - suffix.length());
  }
}
