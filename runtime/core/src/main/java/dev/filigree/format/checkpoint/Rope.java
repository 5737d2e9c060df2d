package dev.filigree.format.checkpoint;

import dev.filigree.UnsupportedException;
import java.util.Optional;

/**
 * Rotary position embedding (J. Su et al., RoFormer, 2021) with the scalings transformers knows
 * under {@code rope_scaling}, from version 5 on {@code rope_parameters}: none, {@code linear},
 * {@code dynamic}, {@code llama3} and {@code yarn}.
 *
 * @param base angle a position, {@code [width / 2]}
 * @param amplitude factor of cosines and sines
 * @param dynamic how the frequencies follow the length of a sequence, if they do
 */
record Rope(float[] base, double amplitude, Optional<Dynamic> dynamic) {
  /**
   * Frequencies that fall with the length once it exceeds the trained one ("NTK-aware" scaling).
   *
   * @param trained positions up to which nothing is scaled
   */
  record Dynamic(double factor, double trained) {}

  /** Angles a position for sequences of a length, {@code [width / 2]}. */
  float[] frequencies(int length) {
    if (dynamic.isEmpty() || length <= dynamic.get().trained()) {
      return base.clone();
    }
    double factor = dynamic.get().factor();
    double ratio = factor * length / dynamic.get().trained() - (factor - 1);
    float[] scaled = new float[base.length];
    int width = 2 * base.length;
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] = (float) (base[i] * Math.pow(ratio, -2.0 * i / (width - 2)));
    }
    return scaled;
  }

  /** Reads the frequencies for heads of a width. */
  static Rope read(JsonFile config, int width) {
    Optional<JsonFile> parameters = config.object("rope_parameters");
    if (parameters.filter(own -> own.has("full_attention")).isPresent()) {
      throw new UnsupportedException(
          config.file() + " has rotary positions of several kinds under 'rope_parameters'",
          "the nearest supported form has one kind for all layers");
    }
    double theta =
        parameters
            .flatMap(own -> own.real("rope_theta", 1, 1e12))
            .or(() -> config.real("rope_theta", 1, 1e12))
            .orElse(10_000.0);
    double[] base = new double[width / 2];
    for (int i = 0; i < base.length; i++) {
      base[i] = Math.pow(theta, -2.0 * i / width);
    }
    Optional<JsonFile> scaling = parameters.or(() -> config.object("rope_scaling"));
    if (scaling.isEmpty()) {
      return of(base, 1);
    }
    JsonFile rules = scaling.get();
    String type = rules.text("rope_type").or(() -> rules.text("type")).orElse("default");
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
        if (width < 4) {
          throw new UnsupportedException(
              config.file() + " scales rotary positions of width " + width + " by 'dynamic'",
              "heads must be at least 4 wide");
        }
        double trained =
            rules
                .real("original_max_position_embeddings", 1, 1e9)
                .or(() -> config.real("max_position_embeddings", 1, 1e9))
                .orElse(2048.0);
        Rope plain = of(base, 1);
        yield new Rope(plain.base, 1, Optional.of(new Dynamic(factor(rules), trained)));
      }
      case "llama3" -> of(llama3(base, rules), 1);
      case "yarn" -> yarn(base, theta, width, rules, config);
      default ->
          throw new UnsupportedException(
              config.file() + " scales rotary positions by '" + type + "'",
              "the nearest supported are linear, dynamic, llama3 and yarn");
    };
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
  private static double[] llama3(double[] base, JsonFile rules) {
    double factor = factor(rules);
    double low = rules.real("low_freq_factor", 1e-3, 1e6).orElse(1.0);
    double high = rules.real("high_freq_factor", 1e-3, 1e6).orElse(4.0);
    double trained = rules.real("original_max_position_embeddings", 1, 1e9).orElse(8192.0);
    double[] scaled = new double[base.length];
    for (int i = 0; i < base.length; i++) {
      double wave = 2 * Math.PI / base[i];
      double share = Math.clamp((trained / wave - low) / (high - low), 0.0, 1.0);
      scaled[i] = (1 - share) * base[i] / factor + share * base[i];
    }
    return scaled;
  }

  /** B. Peng et al., YaRN: Efficient Context Window Extension of Large Language Models, 2023. */
  private static Rope yarn(
      double[] base, double theta, int width, JsonFile rules, JsonFile config) {
    double factor = factor(rules);
    double trained =
        rules
            .real("original_max_position_embeddings", 1, 1e9)
            .or(() -> config.real("max_position_embeddings", 1, 1e9))
            .orElse(2048.0);
    double fast = turns(rules.real("beta_fast", 1e-3, 1e6).orElse(32.0), trained, theta, width);
    double slow = turns(rules.real("beta_slow", 1e-3, 1e6).orElse(1.0), trained, theta, width);
    double from = Math.max(Math.floor(fast), 0);
    double to = Math.min(Math.ceil(slow), width - 1);
    double[] scaled = new double[base.length];
    for (int i = 0; i < base.length; i++) {
      double ramp = Math.clamp((i - from) / Math.max(to - from, 0.001), 0.0, 1.0);
      scaled[i] = ramp * base[i] / factor + (1 - ramp) * base[i];
    }
    double amplitude =
        rules
            .real("attention_factor", 1e-3, 1e3)
            .orElse(factor <= 1 ? 1.0 : 0.1 * Math.log(factor) + 1);
    return of(scaled, amplitude);
  }

  /** The dimension whose wave turns a number of times over the trained length. */
  private static double turns(double times, double trained, double theta, int width) {
    return width * Math.log(trained / (times * 2 * Math.PI)) / (2 * Math.log(theta));
  }
}
