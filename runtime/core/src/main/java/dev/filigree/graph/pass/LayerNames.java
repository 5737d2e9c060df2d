package dev.filigree.graph.pass;

import java.util.regex.Pattern;

/**
 * Names of linear layers and convolutions for reports, recipes and files. Exporters keep the name
 * of a bias and lose that of a transposed weight, so the name is taken from whichever still says
 * something.
 */
final class LayerNames {
  /**
   * Names that exporters make up, such as {@code onnx::MatMul_787} or {@code 787}, and {@link
   * SplitConvTranspose}.
   */
  private static final Pattern INVENTED =
      Pattern.compile(
          "(onnx::.*|\\d+|_?v?al_\\d+|.*_transposed|.*" + SplitConvTranspose.PLACES + ")");

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
    String path = path(node);
    if (bias.endsWith(".bias")) {
      String module = without(bias, ".bias");
      // exporters store equal tensors once, so that a bias of zeros may be another layer's
      boolean agrees =
          isEndOf(module, path) || isEndOf(path, module) || module.startsWith(path + ".");
      return path.isEmpty() || agrees ? module : path;
    }
    if (!INVENTED.matcher(weight).matches() && !weight.contains("/")) {
      return weight;
    }
    return path.isEmpty() ? node.substring(node.lastIndexOf('/') + 1) : path;
  }

  /**
   * The module whose forward function has a node, as PyTorch's exporter writes it, or the name that
   * a layer had before; empty if the node's name tells neither.
   */
  private static String path(String node) {
    int last = node.lastIndexOf('/');
    if (last < 0 && node.contains(".")) {
      return node;
    }
    return last <= 0 ? "" : modules(node.substring(node.startsWith("/") ? 1 : 0, last));
  }

  /**
   * Nested scopes as the path of a module. Scopes in a sequence repeat its name: {@code
   * layer1/layer1.0/conv1} is {@code layer1.0.conv1}.
   */
  private static String modules(String scopes) {
    String[] parts = scopes.split("/");
    StringBuilder path = new StringBuilder();
    for (int i = 0; i < parts.length; i++) {
      boolean isRepeated = i + 1 < parts.length && parts[i + 1].startsWith(parts[i] + ".");
      if (!isRepeated) {
        path.append(path.isEmpty() ? "" : ".").append(parts[i]);
      }
    }
    return path.toString();
  }

  private static boolean isEndOf(String module, String other) {
    return other.equals(module) || other.endsWith("." + module);
  }

  private static String without(String name, String suffix) {
    return name.substring(0, name.length() - suffix.length());
  }
}
