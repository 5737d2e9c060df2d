package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * In what a decoder's layers differ.
 *
 * @param window a token sees so many of the last tokens, itself among them (I. Beltagy et al.,
 *     Longformer, 2020); {@link #WHOLE} if it sees all before it
 * @param rope number of the rotary positions that turn its queries and keys, or {@link #UNTURNED}
 */
record LayerKind(int window, int rope) {
  /** Window of a layer that attends to everything before a token. */
  static final int WHOLE = 0;

  /** A layer without rotary positions. */
  static final int UNTURNED = -1;

  /** The kinds of all layers. */
  static List<LayerKind> read(Family family, int layers) {
    List<Integer> windows = windows(family, layers);
    List<LayerKind> kinds = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      int window = windows.get(layer);
      kinds.add(new LayerKind(window, rope(family, layer, window, windows)));
    }
    return List.copyOf(kinds);
  }

  private static int rope(Family family, int layer, int window, List<Integer> windows) {
    if (family.positions() != Family.Positions.ROTARY) {
      return UNTURNED;
    }
    boolean turns =
        switch (family.rotary()) {
          case ALL -> true;
          case SLIDING -> window != WHOLE || !family.config().has("sliding_window");
          case LISTED -> isListed(family.config(), layer, windows.size());
        };
    return turns ? family.has("local_rope") && window != WHOLE ? 1 : 0 : UNTURNED;
  }

  private static boolean isListed(JsonFile config, int layer, int layers) {
    List<Long> list = config.wholeNumbers("no_rope_layers");
    if (list.isEmpty()) {
      int interval = config.number("no_rope_layer_interval", 1, 1000).orElse(4);
      return (layer + 1) % interval != 0;
    }
    // transformers lets the list be longer
    requireLength(config, "no_rope_layers", Math.min(list.size(), layers), layers);
    return list.get(layer) != 0;
  }

  private static List<Integer> windows(Family family, int layers) {
    JsonFile config = family.config();
    // Qwen's configs carry a window that is off unless they say otherwise; Llama has none
    boolean slides =
        switch (family.windows()) {
          case NEVER -> false;
          case HALVED -> true;
          case ALWAYS, EVERYWHERE, FIRST_WHOLE -> config.has("sliding_window");
          case FLAG, UNTURNED, SECOND ->
              config.flag("use_sliding_window", false) && config.has("sliding_window");
        };
    List<Integer> windows = new ArrayList<>();
    int window = slides ? width(family) : WHOLE;
    if (window != WHOLE && family.has("both_ways")) {
      // the window lies around a token, which it counts to both sides
      window = window / 2 + 1;
    }
    if (family.windows() == Family.Windows.EVERYWHERE) {
      return Collections.nCopies(layers, window);
    }
    List<String> types = types(config);
    if (!types.isEmpty()) {
      for (String type : types) {
        windows.add(slides(config, type) ? window : WHOLE);
      }
      requireLength(config, "layer_types", types.size(), layers);
      return windows;
    }
    int whole = config.number("max_window_layers", 0, Integer.MAX_VALUE).orElse(0);
    int pattern = pattern(config);
    for (int layer = 0; layer < layers; layer++) {
      boolean isWhole =
          switch (family.windows()) {
            case UNTURNED -> isListed(config, layer, layers);
            case HALVED, FIRST_WHOLE ->
                layer % config.number("global_attn_every_n_layers", 1, 1000).orElse(1) == 0;
            case SECOND -> layer % 2 != 0 || layer >= whole;
            default -> pattern > 0 ? (layer + 1) % pattern == 0 : layer < whole;
          };
      windows.add(isWhole ? WHOLE : window);
    }
    return windows;
  }

  private static int width(Family family) {
    return family.windows() == Family.Windows.HALVED
        ? family.config().number("local_attention", 2, Integer.MAX_VALUE).orElse(WHOLE) / 2
        : family.config().number("sliding_window", 1, Integer.MAX_VALUE).orElse(WHOLE);
  }

  /**
   * The layers' types; GPT-Neo's configs may say them shortly, as {@code [[["global", "local"],
   * 12]]}.
   */
  private static List<String> types(JsonFile config) {
    List<String> types = new ArrayList<>(config.texts("layer_types"));
    if (types.isEmpty()) {
      for (JsonNode part : config.node().path("attention_types")) {
        int times = Math.clamp(part.path(1).asInt(0), 0, AttentionShape.MAX_LAYERS);
        for (int i = 0; i < times && types.size() <= AttentionShape.MAX_LAYERS; i++) {
          part.path(0).forEach(type -> types.add(type.asString("")));
        }
      }
    }
    return types;
  }

  /** Every so many layers one sees everything; 0 if configs do not say it this way. */
  private static int pattern(JsonFile config) {
    // transformers keeps the key under this name where it is not the config's own
    String key =
        config.has("_sliding_window_pattern")
            ? "_sliding_window_pattern"
            : "sliding_window_pattern";
    return config.number(key, 1, 1000).orElse(0);
  }

  private static boolean slides(JsonFile config, String type) {
    return switch (type) {
      case "full_attention", "attention", "global" -> false;
      case "sliding_attention", "local" -> true;
      default ->
          throw new UnsupportedException(
              config.file() + " has a layer of the type '" + type + "'",
              "the nearest supported are full_attention and sliding_attention");
    };
  }

  private static void requireLength(JsonFile config, String key, int found, int layers) {
    if (found != layers) {
      throw new FormatException(
          config.file() + " has " + found + " '" + key + "' for " + layers + " layers",
          "use the config that belongs to the weights");
    }
  }
}
