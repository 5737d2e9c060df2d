package dev.filigree.format.checkpoint;

import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.kernel.fused.CachedAttention;
import dev.filigree.kernel.fused.LinearBias;
import java.util.Collections;
import java.util.List;

/**
 * What a decoder's {@code config.json} says of its extents.
 *
 * @param family with the config, completed
 * @param layers number of layers
 * @param hidden features of a token
 * @param heads of queries
 * @param keyHeads of keys and values, each read by {@code heads / keyHeads} heads of queries
 * @param width features of a head
 * @param wide features between the products of a feed-forward layer
 * @param vocabulary number of tokens
 * @param epsilon added to mean squares or variances
 * @param activation name of the feed-forward layer's function
 * @param tied whether the words' table serves as the last layer too
 * @param ropes rotary positions that layers use
 * @param kinds of the layers, which differ in window and rotary positions
 */
record DecoderConfig(
    Family family,
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
    List<Rope> ropes,
    List<LayerKind> kinds)
    implements AttentionShape {
  /**
   * Reads a config.
   *
   * @param name of the family
   * @throws dev.filigree.FormatException if something is missing or out of bounds
   * @throws UnsupportedException if it asks for something that is not supported
   */
  static DecoderConfig read(String name, JsonFile file) {
    Family family = Family.DECODERS.of(name, file);
    JsonFile config = family.config();
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
    int wide =
        family.feed() == Family.Feed.PLAIN
            ? config.number("intermediate_size", 1, MAX_EXTENT).orElse(4 * hidden)
            : config.required("intermediate_size", 1, MAX_EXTENT);
    List<LayerKind> kinds = LayerKind.read(family, layers);
    return new DecoderConfig(
        family,
        layers,
        hidden,
        heads,
        keyHeads,
        width,
        wide,
        config.required("vocab_size", 1, MAX_EXTENT),
        config.real("epsilon", 0, 1).orElse(1e-6),
        config.text("hidden_act").orElse("silu"),
        config.flag("tie_word_embeddings", false),
        AttentionShape.ropes(family, width, kinds),
        kinds);
  }

  /**
   * The tokens that every layer remembers; {@link LayerKind#WHOLE} if one of them remembers all.
   */
  int longestWindow() {
    List<Integer> windows = kinds.stream().map(LayerKind::window).toList();
    return windows.contains(LayerKind.WHOLE) ? LayerKind.WHOLE : Collections.max(windows);
  }

  /** Rows of the table of learned positions. */
  int positions() {
    return family.config().required("max_position_embeddings", 1, MAX_EXTENT) + family.offset();
  }

  /** Sines, then cosines of the positions, {@code [positions, hidden]}; padding has none. */
  Tensor sinusoids() {
    int rows = positions();
    int half = hidden / 2;
    float[] table = new float[Math.multiplyExact(rows, hidden)];
    int padding = family.config().number("pad_token_id", 0, MAX_EXTENT).orElse(rows);
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < half && row != padding; i++) {
        float angle = row * (float) Math.exp(-i * Math.log(10_000) / (half - 1));
        table[row * hidden + i] = (float) Math.sin(angle);
        table[row * hidden + half + i] = (float) Math.cos(angle);
      }
    }
    return Tensor.of(table, rows, hidden);
  }

  /** Features of a word's row, which a layer may widen. */
  int narrow() {
    return family.config().number("word_embed_proj_dim", 1, MAX_EXTENT).orElse(hidden);
  }

  /** What is added to scores by the places of keys. */
  LinearBias bias() {
    return family.positions() == Family.Positions.ALIBI
        ? LinearBias.of(
            heads,
            family.factor("bias", width),
            family.has("rounded_bias"),
            family.has("from_last"))
        : LinearBias.NONE;
  }

  @Override
  public CachedAttention.Growth growth() {
    return family.has("grows") ? Rope.growth(family) : CachedAttention.Growth.NONE;
  }

  /** What bounds scores or logits, {@code cap * tanh(x / cap)}; 0 for nothing. */
  double cap(String key) {
    return family.has("caps") ? family.config().real(key, 1e-3, 1e6).orElse(0.0) : 0;
  }

  /** What queries, keys and values are clipped to; 0 for nothing. */
  double clip() {
    return family.has("clipped") ? family.config().real("clip_qkv", 1e-3, 1e6).orElse(0.0) : 0;
  }

  @Override
  public double cap() {
    return cap("attn_logit_softcapping");
  }

  @Override
  public double scores(int layer) {
    double factor = family.factor("scores", width);
    return family.has("scores_by_layer") ? factor / (layer + 1) : factor;
  }
}
