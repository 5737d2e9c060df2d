package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import java.util.Set;

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
    Rope rope) {
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
    requireWholeAttention(config);
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
    return new DecoderConfig(
        config.required("num_hidden_layers", 1, MAX_LAYERS),
        hidden,
        heads,
        keyHeads,
        width,
        config.required("intermediate_size", 1, MAX_EXTENT),
        config.required("vocab_size", 1, MAX_EXTENT),
        config.real("rms_norm_eps", 0, 1).orElse(1e-6),
        config.text("hidden_act").orElse("silu"),
        config.flag("tie_word_embeddings", false),
        Rope.read(config, width));
  }

  private static void requireWholeAttention(JsonFile config) {
    boolean slides =
        config.has("sliding_window")
            && config.flag("use_sliding_window", true)
            && config.number("sliding_window", 1, Integer.MAX_VALUE).orElse(Integer.MAX_VALUE)
                < config.number("max_position_embeddings", 1, Integer.MAX_VALUE).orElse(0);
    if (slides) {
      throw new UnsupportedException(
          config.file() + " attends over a sliding window",
          "the nearest supported form attends over the whole sequence");
    }
  }
}
