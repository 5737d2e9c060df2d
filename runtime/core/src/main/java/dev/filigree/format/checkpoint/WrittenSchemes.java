package dev.filigree.format.checkpoint;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Collects how the layers of a checkpoint are written, for its {@code quantization_config}. */
final class WrittenSchemes {
  /** The release whose layout of packed integers is written. */
  private static final String VERSION = "0.18.0";

  /**
   * How some layers are quantised.
   *
   * @param format of compressed-tensors
   * @param bits of a weight
   * @param group weights that share a scale; 0 for a row, -1 for the whole layer
   * @param symmetric whether there are no zero points
   */
  record Quantization(String format, int bits, int group, boolean symmetric) {}

  private final Map<Quantization, List<String>> quantized = new LinkedHashMap<>();
  private final Map<String, List<String>> sparse = new LinkedHashMap<>();

  /** A layer whose weights are quantised. */
  void quantized(String module, Quantization quantization) {
    quantized.computeIfAbsent(quantization, key -> new ArrayList<>()).add(module);
  }

  /** A layer whose weights are sparse, in a format of compressed-tensors. */
  void sparse(String module, String format) {
    sparse.computeIfAbsent(format, key -> new ArrayList<>()).add(module);
  }

  /** The config, if any layer needs one. */
  Optional<ObjectNode> config(ObjectMapper json) {
    if (quantized.isEmpty() && sparse.isEmpty()) {
      return Optional.empty();
    }
    ObjectNode config =
        json.createObjectNode()
            .put("quant_method", "compressed-tensors")
            .put("version", VERSION)
            .put("quantization_status", "compressed")
            .put("format", format());
    config.putArray("ignore");
    ObjectNode groups = config.putObject("config_groups");
    quantized.forEach(
        (quantization, modules) -> {
          ObjectNode group = groups.putObject("group_" + groups.size());
          texts(group.putArray("targets"), modules);
          group.put("format", quantization.format);
          ObjectNode weights =
              group
                  .putObject("weights")
                  .put("num_bits", quantization.bits)
                  .put("type", "int")
                  .put("symmetric", quantization.symmetric)
                  .put("dynamic", false);
          switch (quantization.group) {
            case -1 -> weights.put("strategy", "tensor").putNull("group_size");
            case 0 -> weights.put("strategy", "channel").putNull("group_size");
            default -> weights.put("strategy", "group").put("group_size", quantization.group);
          }
          group.putNull("input_activations").putNull("output_activations");
        });
    if (!sparse.isEmpty()) {
      ObjectNode sparsity = config.putObject("sparsity_config");
      Map.Entry<String, List<String>> first = sparse.entrySet().iterator().next();
      sparsity.put("format", first.getKey());
      sparsity.put("sparsity_structure", first.getKey().contains("24") ? "2:4" : "unstructured");
      texts(sparsity.putArray("targets"), first.getValue());
      sparsity.putArray("ignore");
    }
    return Optional.of(config);
  }

  private String format() {
    List<String> formats =
        quantized.keySet().stream().map(Quantization::format).distinct().toList();
    return switch (formats.size()) {
      case 0 -> "dense";
      case 1 -> formats.getFirst();
      default -> "mixed-precision";
    };
  }

  private static void texts(ArrayNode array, List<String> texts) {
    texts.forEach(array::add);
  }
}
