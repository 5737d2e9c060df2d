package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What a decoder's {@code config.json} says of its extents, for Llama, Mistral, Qwen2 and Qwen3.
 *
 * @param layers number of layers
 * @param hidden features of a token
 * @param heads of queries
 * @param keyHeads of keys and values, each read by {@code heads / keyHeads} heads of queries
 * @param width features of a head
 * @param wide features between the two products of a feed-forward layer
 * @param vocabulary number of tokens
 * @param epsilon added to mean squares
 * @param activation name of the feed-forward layer's function
 * @param tied whether the words' table serves as the last layer too
 * @param rope rotary positions
 * @param windows of each layer: a token sees so many of the last tokens, itself among them (I.
 *     Beltagy et al., Longformer, 2020); {@link #WHOLE} if it sees all before it
 */
record DecoderConfig(
    int layers,
    int hidden,
    int heads,
    int keyHeads,
    int width,
    int wide,
    int vocabulary,
    double epsilon,
    String activation,
    boolean tied,
    Rope rope,
    List<Integer> windows) {
  /** Window of a layer that attends to everything before a token. */
  static final int WHOLE = 0;

  /** {@code model_type} of the families. */
  static final Set<String> FAMILIES = Set.of("llama", "mistral", "qwen2", "qwen3");

  private static final int MAX_LAYERS = 1000;
  private static final int MAX_EXTENT = 1 << 24;

  /**
   * Reads a config.
   *
   * @throws dev.filigree.FormatException if something is missing or out of bounds
   * @throws UnsupportedException if it asks for something that is not supported
   */
  static DecoderConfig read(JsonFile config) {
    int hidden = config.required("hidden_size", 1, MAX_EXTENT);
    int heads = config.required("num_attention_heads", 1, hidden);
    int keyHeads = config.number("num_key_value_heads", 1, heads).orElse(heads);
    int width = config.number("head_dim", 2, MAX_EXTENT).orElse(hidden / heads);
    if (heads % keyHeads != 0 || width % 2 != 0) {
      throw new UnsupportedException(
          config.file()
              + " has "
              + heads
              + " heads over "
              + keyHeads
              + " of keys, of width "
              + width,
          "heads must divide evenly and be of even width");
    }
    int layers = config.required("num_hidden_layers", 1, MAX_LAYERS);
    return new DecoderConfig(
        layers,
        hidden,
        heads,
        keyHeads,
        width,
        config.required("intermediate_size", 1, MAX_EXTENT),
        config.required("vocab_size", 1, MAX_EXTENT),
        config.real("rms_norm_eps", 0, 1).orElse(1e-6),
        config.text("hidden_act").orElse("silu"),
        config.flag("tie_word_embeddings", false),
        Rope.read(config, width),
        windows(config, layers));
  }

  /** The tokens that every layer remembers; {@link #WHOLE} if one of them remembers all. */
  int longestWindow() {
    return windows.contains(WHOLE) ? WHOLE : Collections.max(windows);
  }

  private static List<Integer> windows(JsonFile config, int layers) {
    String family = config.text("model_type").orElse("");
    // Qwen's configs carry a window that is off unless they say otherwise; Llama has none
    boolean slides =
        !family.equals("llama")
            && config.flag("use_sliding_window", family.equals("mistral"))
            && config.has("sliding_window");
    if (!slides) {
      return Collections.nCopies(layers, WHOLE);
    }
    int window = config.number("sliding_window", 1, Integer.MAX_VALUE).orElse(WHOLE);
    List<String> types = config.texts("layer_types");
    if (types.isEmpty()) {
      int whole = config.number("max_window_layers", 0, Integer.MAX_VALUE).orElse(0);
      return IntStream.range(0, layers).mapToObj(i -> i < whole ? WHOLE : window).toList();
    }
    if (types.size() != layers) {
      throw new FormatException(
          config.file() + " has " + types.size() + " 'layer_types' for " + layers + " layers",
          "use the config that belongs to the weights");
    }
    return types.stream()
        .map(
            type ->
                type.equals("full_attention")
                    ? Integer.valueOf(WHOLE)
                    : slides(config, type, window))
        .toList();
  }

  private static Integer slides(JsonFile config, String type, int window) {
    if (!type.equals("sliding_attention")) {
      throw new UnsupportedException(
          config.file() + " has a layer of the type '" + type + "'",
          "the nearest supported are full_attention and sliding_attention");
    }
    return window;
  }
}
