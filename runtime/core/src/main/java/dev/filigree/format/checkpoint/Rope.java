package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.UnsupportedException;
import dev.filigree.kernel.fused.CachedAttention;
import java.util.Optional;
import tools.jackson.databind.node.StringNode;

/**
 * Rotary position embedding (J. Su et al., RoFormer, 2021) with the scalings transformers knows
 * under {@code rope_scaling}, from version 5 on {@code rope_parameters}: none, {@code linear},
 * {@code dynamic}, {@code llama3}, {@code yarn} and {@code longrope}.
 *
 * @param base angle a position, {@code [turned / 2]}
 * @param amplitude factor of cosines and sines
 * @param following how the frequencies follow the length of a sequence, if they do
 */
record Rope(float[] base, double amplitude, Optional<Following> following) {
  /** The kind of layer that sees everything. */
  static final String WHOLE = "full_attention";

  /** The kind of layer that sees a window. */
  static final String SLIDING = "sliding_attention";

  private static final String TRAINED = "original_max_position_embeddings";

  /** Frequencies that change once a length exceeds the trained one. */
  sealed interface Following {
    /** Positions up to which nothing changes. */
    double trained();
  }

  /** Frequencies that fall with the length ("NTK-aware" scaling). */
  record Dynamic(double factor, double trained) implements Following {}

  /**
   * Others for long sequences (Y. Ding et al., LongRoPE, 2024).
   *
   * @param beyond the trained length {@code [turned / 2]}
   */
  record Switched(float[] beyond, double trained) implements Following {}

  /** Features of a head that are turned, the first ones; the others stay as they are. */
  int turned() {
    return 2 * base.length;
  }

  /** Angles a position for sequences of a length, {@code [turned / 2]}. */
  float[] frequencies(int length) {
    if (following.isEmpty() || length <= following.get().trained()) {
      return base.clone();
    }
    return switch (following.get()) {
      case Switched(float[] beyond, double _) -> beyond.clone();
      case Dynamic(double factor, double trained) -> {
        double ratio = factor * length / trained - (factor - 1);
        float[] scaled = new float[base.length];
        for (int i = 0; i < scaled.length; i++) {
          scaled[i] = (float) (base[i] * Math.pow(ratio, -2.0 * i / (turned() - 2)));
        }
        yield scaled;
      }
    };
  }

  /**
   * Reads the frequencies for heads of a width.
   *
   * @param kind of the layers, which may have frequencies of their own
   */
  static Rope read(Family family, int head, String kind) {
    JsonFile config = family.config();
    Optional<JsonFile> own = rules(family, kind);
    Optional<Double> local =
        kind.equals(SLIDING) ? config.real("rope_local_base_freq", 1, 1e12) : Optional.empty();
    double theta =
        own.flatMap(given -> given.real("rope_theta", 1, 1e12))
            .or(() -> local)
            .or(() -> config.real("rope_theta", 1, 1e12))
            .orElse(10_000.0);
    int width = turned(family, own, head);
    double[] base = new double[width / 2];
    for (int i = 0; i < base.length; i++) {
      base[i] = Math.pow(theta, -2.0 * i / width);
    }
    if (own.isEmpty()) {
      return of(base, 1);
    }
    JsonFile rules = own.get();
    String type = type(family, rules);
    return switch (type) {
      case "default" -> of(base, 1);
      case "linear" -> {
        double factor = factor(rules);
        for (int i = 0; i < base.length; i++) {
          base[i] /= factor;
        }
        yield of(base, 1);
      }
      case "dynamic" -> {
        Optional<Double> alpha = alpha(family, rules);
        if (alpha.isPresent()) {
          yield of(alpha(theta, alpha.get(), width), 1);
        }
        if (width < 4) {
          throw new UnsupportedException(
              config.file() + " scales rotary positions of width " + width + " by 'dynamic'",
              "heads must be at least 4 wide");
        }
        Rope plain = of(base, 1);
        double trained = config.real("max_position_embeddings", 1, 1e9).orElse(2048.0);
        Dynamic dynamic = new Dynamic(factor(rules), trained);
        yield new Rope(plain.base, 1, Optional.of(dynamic));
      }
      case "llama3" -> of(llama3(base, rules, trained(family, rules, 8192)), 1);
      case "yarn" -> yarn(base, theta, width, rules, family);
      case "longrope" -> longrope(base, rules, family);
      case "ntk" -> {
        if (!family.has("ntk")) {
          throw unknown(config, type);
        }
        yield of(ntk(base, theta, width, rules), 1);
      }
      default -> throw unknown(config, type);
    };
  }

  private static UnsupportedException unknown(JsonFile config, String type) {
    return new UnsupportedException(
        config.file() + " scales rotary positions by '" + type + "'",
        "the nearest supported are linear, dynamic, llama3, yarn and longrope");
  }

  /**
   * What a config says of the frequencies of a kind of layers: transformers takes {@code
   * rope_scaling}, the older name, over all that {@code rope_parameters} says. Where layers have
   * frequencies of their own, it takes single members of it over those for the layers that see
   * everything, of ModernBERT over those for both kinds; these name their kind of scaling from the
   * start, so that a {@code type} there says nothing.
   */
  private static Optional<JsonFile> rules(Family family, String kind) {
    Optional<JsonFile> all = family.config().object("rope_parameters");
    Optional<JsonFile> older = family.config().object("rope_scaling");
    if (!family.has("local_rope")) {
      return isByKind(family.config()) ? all.get().object(kind) : older.or(() -> all);
    }
    if (all.isPresent() && !all.get().has(WHOLE) && !all.get().has(SLIDING)) {
      throw new UnsupportedException(
          family.config().file() + " has 'rope_parameters' for no kind of layers",
          "give them for '" + WHOLE + "' and '" + SLIDING + "'");
    }
    Optional<JsonFile> given = all.flatMap(own -> own.object(kind));
    if (older.isEmpty() || kind.equals(SLIDING) && !family.has("scales_both")) {
      return given;
    }
    JsonFile under =
        given.orElseGet(
            () -> older.get().emptied().with("rope_type", StringNode.valueOf("default")));
    return Optional.of(older.get().over(under.node()));
  }

  /** By how much queries grow, as Llama 4's and Ministral 3's configs say beside the rotation. */
  static CachedAttention.Growth growth(Family family) {
    String key = "llama_4_scaling_beta";
    Optional<JsonFile> rules = rules(family, WHOLE);
    double rate =
        rules
            .flatMap(own -> own.real(key, 0, 1e3))
            .orElseThrow(
                () ->
                    new FormatException(
                        family.config().file() + " does not say 'rope_parameters." + key + "'",
                        "download config.json again, or set it to 0"));
    double stage =
        family
            .config()
            .real(TRAINED, 1, Integer.MAX_VALUE)
            .or(() -> rules.get().real(TRAINED, 1, Integer.MAX_VALUE))
            .orElseThrow(
                () ->
                    new FormatException(
                        family.config().file() + " does not say 'rope_parameters." + TRAINED + "'",
                        "download config.json again"));
    return new CachedAttention.Growth((float) rate, (int) stage);
  }

  private static String type(Family family, JsonFile rules) {
    String type = rules.text("rope_type").or(() -> rules.text("type")).orElse("default");
    if (!family.has("long_rope")) {
      // of text alone all parts of a position are the same
      return type.equals("mrope") && family.has("mrope") ? "default" : type;
    }
    return switch (type) {
      case "default", "longrope" -> type;
      case "su", "yarn" -> "longrope";
      default ->
          throw new UnsupportedException(
              rules.file()
                  + " scales rotary positions by '"
                  + type
                  + "', which its family does not",
              "the nearest supported is longrope");
    };
  }

  /** Features of a head that are turned. */
  private static int turned(Family family, Optional<JsonFile> parameters, int head) {
    JsonFile config = family.config();
    double share =
        family.has("partial")
            ? parameters
                .flatMap(own -> own.real("partial_rotary_factor", 0, 1))
                .or(() -> config.real("partial_rotary_factor", 0, 1))
                .orElse(1.0)
            : 1;
    int turned = config.number("rotary_dim", 2, head).orElse((int) (head * share));
    if (turned < 2 || turned % 2 != 0) {
      throw new UnsupportedException(
          config.file() + " turns " + turned + " of a head's " + head + " features",
          "the nearest supported is an even number of at least 2");
    }
    return turned;
  }

  /**
   * The trained length beside the rules goes before the one among them, as transformers has it,
   * unless the rules are those of one kind of layers.
   */
  private static double trained(Family family, JsonFile rules, double otherwise) {
    JsonFile config = family.config();
    return (family.has("local_rope") || isByKind(config) ? rules : config)
        .real(TRAINED, 1, 1e9)
        .or(() -> rules.real(TRAINED, 1, 1e9))
        .or(() -> config.real("max_position_embeddings", 1, 1e9))
        .orElse(otherwise);
  }

  /** Whether a config has rules for kinds of layers, and no older ones in place of them. */
  private static boolean isByKind(JsonFile config) {
    return config.object("rope_scaling").isEmpty()
        && config.object("rope_parameters").filter(own -> own.has(WHOLE)).isPresent();
  }

  private static Rope of(double[] frequencies, double amplitude) {
    float[] rounded = new float[frequencies.length];
    for (int i = 0; i < rounded.length; i++) {
      rounded[i] = (float) frequencies[i];
    }
    return new Rope(rounded, amplitude, Optional.empty());
  }

  private static double factor(JsonFile rules) {
    return rules.real("factor", 1e-3, 1e6).orElse(1.0);
  }

  /** Long waves are stretched, short ones kept, those between blended (Llama 3.1). */
  private static double[] llama3(double[] base, JsonFile rules, double trained) {
    double factor = factor(rules);
    double low = rules.real("low_freq_factor", 1e-3, 1e6).orElse(1.0);
    double high = rules.real("high_freq_factor", 1e-3, 1e6).orElse(4.0);
    double[] scaled = new double[base.length];
    for (int i = 0; i < base.length; i++) {
      double wave = 2 * Math.PI / base[i];
      double share = Math.clamp((trained / wave - low) / (high - low), 0.0, 1.0);
      scaled[i] = (1 - share) * base[i] / factor + share * base[i];
    }
    return scaled;
  }

  /** B. Peng et al., YaRN: Efficient Context Window Extension of Large Language Models, 2023. */
  private static Rope yarn(double[] base, double theta, int width, JsonFile rules, Family family) {
    double trained = trained(family, rules, 2048);
    JsonFile config = family.config();
    double factor =
        rules
            .real("factor", 1e-3, 1e6)
            .orElse(config.real("max_position_embeddings", 1, 1e9).orElse(trained) / trained);
    double fast = turns(rules.real("beta_fast", 1e-3, 1e6).orElse(32.0), trained, theta, width);
    double slow = turns(rules.real("beta_slow", 1e-3, 1e6).orElse(1.0), trained, theta, width);
    // where layers have rules of their own, transformers looks for this beside them
    boolean whole = family.has("local_rope") || rules.flag("truncate", true);
    double from = Math.max(whole ? Math.floor(fast) : fast, 0);
    double to = Math.min(whole ? Math.ceil(slow) : slow, width - 1);
    double[] scaled = new double[base.length];
    for (int i = 0; i < base.length; i++) {
      double ramp = Math.clamp((i - from) / Math.max(to - from, 0.001), 0.0, 1.0);
      scaled[i] = ramp * base[i] / factor + (1 - ramp) * base[i];
    }
    double amplitude =
        rules
            .real("attention_factor", 1e-3, 1e3)
            .orElseGet(
                () -> {
                  double scale = rules.real("mscale", 0, 1e3).orElse(0.0);
                  double all = rules.real("mscale_all_dim", 0, 1e3).orElse(0.0);
                  return scale > 0 && all > 0
                      ? stretch(factor, scale) / stretch(factor, all)
                      : stretch(factor, 1);
                });
    return of(scaled, amplitude);
  }

  private static double stretch(double factor, double scale) {
    return factor <= 1 ? 1.0 : 0.1 * scale * Math.log(factor) + 1;
  }

  /** Each frequency is divided by a factor of its own, another one for long sequences. */
  private static Rope longrope(double[] base, JsonFile rules, Family family) {
    double trained = trained(family, rules, 4096);
    JsonFile config = family.config();
    double factor =
        rules
            .real("factor", 1e-3, 1e6)
            .orElse(config.real("max_position_embeddings", 1, 1e9).orElse(trained) / trained);
    double amplitude =
        rules
            .real("attention_factor", 1e-3, 1e3)
            .orElse(factor <= 1 ? 1.0 : Math.sqrt(1 + Math.log(factor) / Math.log(trained)));
    Rope within = of(divided(base, rules.reals("short_factor", base.length)), amplitude);
    Rope beyond = of(divided(base, rules.reals("long_factor", base.length)), amplitude);
    return new Rope(within.base, amplitude, Optional.of(new Switched(beyond.base, trained)));
  }

  /** What the base grows by before any text is long, in HunYuan's configs. */
  private static Optional<Double> alpha(Family family, JsonFile rules) {
    return family.has("alpha_rope")
        ? rules.real("alpha", 0, 1e12).filter(alpha -> alpha > 0)
        : Optional.empty();
  }

  private static double[] alpha(double theta, double alpha, int width) {
    if (width < 4) {
      throw new FormatException(
          "rotary positions of width " + width + " grow by an 'alpha'",
          "heads must be at least 4 wide");
    }
    double grown = theta * Math.pow(alpha, width / (width - 2.0));
    double[] base = new double[width / 2];
    for (int i = 0; i < base.length; i++) {
      base[i] = Math.pow(grown, -2.0 * i / width);
    }
    return base;
  }

  /**
   * Frequencies of GTE as it was first published, the same for texts of any length: of a base times
   * the factor, or divided by a power of it that grows with the dimension ({@code mixed_b}).
   */
  private static double[] ntk(double[] base, double theta, int width, JsonFile rules) {
    double factor = factor(rules);
    if (factor <= 1) {
      return base;
    }
    Optional<Double> mixed = rules.real("mixed_b", 0, 1e3);
    double[] scaled = new double[base.length];
    for (int i = 0; i < base.length; i++) {
      double exponent =
          mixed.isPresent() ? Math.pow((i + 1) * 2.0 / width, mixed.get()) : 2.0 / width;
      double own = mixed.isPresent() ? base[i] : Math.pow(theta * factor, -2.0 * i / width);
      scaled[i] = own / Math.pow(factor, exponent);
    }
    return scaled;
  }

  private static double[] divided(double[] base, double[] by) {
    double[] quotients = new double[base.length];
    for (int i = 0; i < base.length; i++) {
      quotients[i] = base[i] / by[i];
    }
    return quotients;
  }

  /** The dimension whose wave turns a number of times over the trained length. */
  private static double turns(double times, double trained, double theta, int width) {
    return width * Math.log(trained / (times * 2 * Math.PI)) / (2 * Math.log(theta));
  }
}
