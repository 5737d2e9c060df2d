package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What an encoder's {@code config.json} says of its extents.
 *
 * @param family with the config, completed
 * @param layers number of layers
 * @param hidden features of a token
 * @param heads of queries
 * @param keyHeads of keys and values
 * @param width features of a head
 * @param wide features between the products of a feed-forward layer
 * @param vocabulary number of tokens
 * @param epsilon added to variances or mean squares
 * @param activation name of the feed-forward layer's function
 * @param ropes rotary positions that layers use
 * @param kinds of the layers; a window is as many tokens as a token sees to either side
 */
record EncoderConfig(
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
    List<Rope> ropes,
    List<LayerKind> kinds)
    implements AttentionShape {
  /** What the names of ESM's frequencies begin with in checkpoints of its versions. */
  private static final List<String> OWNERS_OF_FREQUENCIES =
      List.of("", "encoder.layer.0.attention.self.", "encoder.layer.*.attention.self.");

  /**
   * Reads a config.
   *
   * @param name of the family
   * @throws dev.filigree.FormatException if something is missing or out of bounds
   * @throws UnsupportedException if it asks for something that is not supported
   */
  static EncoderConfig read(String name, JsonFile file) {
    Family family = Family.ENCODERS.of(name, file);
    JsonFile config = family.config();
    int hidden = config.required("hidden_size", 1, MAX_EXTENT);
    int heads = config.required("num_attention_heads", 1, hidden);
    int keyHeads = config.number("num_key_value_heads", 1, heads).orElse(heads);
    int inner = config.number("intra_bottleneck_size", 1, MAX_EXTENT).orElse(hidden);
    int width = config.number("head_dim", 1, MAX_EXTENT).orElse(inner / heads);
    if (!config.has("head_dim") && inner % heads != 0 || heads % keyHeads != 0) {
      throw new UnsupportedException(
          config.file() + " divides " + inner + " features among " + heads + " heads",
          "use a model whose heads are of one width");
    }
    int layers = config.required("num_hidden_layers", 1, MAX_LAYERS);
    List<LayerKind> kinds = kinds(family, layers);
    return new EncoderConfig(
        family,
        layers,
        hidden,
        heads,
        keyHeads,
        width,
        config.required("intermediate_size", 1, MAX_EXTENT),
        config.required("vocab_size", 1, MAX_EXTENT),
        config.real("epsilon", 0, 1).orElse(1e-12),
        config.text("hidden_act").orElse("gelu"),
        AttentionShape.ropes(family, width, kinds),
        kinds);
  }

  /** The same with the frequencies that ESM's checkpoints keep, as they were rounded for them. */
  EncoderConfig with(WeightSource tensors) {
    Optional<String> kept =
        family.module("frequencies").stream()
            .flatMap(name -> OWNERS_OF_FREQUENCIES.stream().map(owner -> owner + name))
            .map(name -> tensors.prefix(family.module("words").orElseThrow() + ".weight") + name)
            .filter(tensors::has)
            .findFirst();
    if (kept.isEmpty() || ropes.isEmpty()) {
      return this;
    }
    float[] found = tensors.vector(kept.get(), width / 2).toFloats();
    return new EncoderConfig(
        family,
        layers,
        hidden,
        heads,
        keyHeads,
        width,
        wide,
        vocabulary,
        epsilon,
        activation,
        List.of(new Rope(found, 1, Optional.empty())),
        kinds);
  }

  /** A value normalised as the family does. */
  String normalized(NetworkBuilder net, String name, String x, int features) {
    return normalized(net, name, x, features, epsilon);
  }

  /** The same with an epsilon that the config does not say. */
  String normalized(NetworkBuilder net, String name, String x, int features, double epsilon) {
    return switch (family.norm()) {
      case RMS -> net.rootMeanSquare(x, name, features, epsilon, false);
      case LAYER -> net.layerNormalization(x, name, features, epsilon);
      case NONE -> net.scaled(x, name, features);
    };
  }

  private static List<LayerKind> kinds(Family family, int layers) {
    JsonFile config = family.config();
    boolean turns = family.positions() == Family.Positions.ROTARY;
    List<String> types = config.texts("layer_types");
    int every = config.number("global_attn_every_n_layers", 1, 1000).orElse(1);
    int reach = config.number("local_attention", 2, MAX_EXTENT).orElse(2) / 2;
    List<LayerKind> kinds = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      boolean slides =
          family.windows() != Family.Windows.NEVER
              && (types.size() == layers
                  ? types.get(layer).equals(Rope.SLIDING)
                  : layer % every != 0);
      int rope = turns ? slides && family.has("local_rope") ? 1 : 0 : LayerKind.UNTURNED;
      kinds.add(new LayerKind(slides ? reach : LayerKind.WHOLE, rope));
    }
    return List.copyOf(kinds);
  }

  /** How many kinds of scores by relative positions are added to those of words. */
  int relativeScores() {
    return family.config().flag("relative_attention", false) ? relativeKinds().size() : 0;
  }

  /** The kinds themselves, of {@code c2p} and {@code p2c}. */
  List<String> relativeKinds() {
    return named().stream().filter(List.of("c2p", "p2c")::contains).distinct().toList();
  }

  /** All kinds that the config names; older configs write them as one text. */
  private List<String> named() {
    JsonFile config = family.config();
    return config.node().path("pos_att_type").isString()
        ? Arrays.stream(config.text("pos_att_type").orElseThrow().split("\\|", -1))
            .map(kind -> kind.toLowerCase(Locale.ROOT).strip())
            .toList()
        : config.texts("pos_att_type");
  }

  /** Features of a row of the tables, which a layer may widen. */
  int narrow(boolean isProjected) {
    return isProjected
        ? family.config().number("embedding_size", 1, MAX_EXTENT).orElse(hidden)
        : hidden;
  }

  @Override
  public double scores(int layer) {
    // the width is shared among the kinds of scores that a config names, computed or not
    int kinds = (family.has("counts_names") ? named() : relativeKinds()).size();
    return family.factor("scores", width) / Math.sqrt(1.0 + kinds);
  }

  @Override
  public double cap() {
    return 0;
  }
}
