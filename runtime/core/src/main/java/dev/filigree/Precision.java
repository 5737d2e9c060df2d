package dev.filigree;

import java.util.Locale;

/**
 * How far a linear layer may round its inputs for speed, beyond what the model's file says. Each
 * level permits what the levels before it permit; none demands anything, so that a machine without
 * the kernels for it computes exactly. Layers of an ONNX file that quantise their inputs themselves
 * are computed as the file says at every level. Applies to the CPU.
 */
public enum Precision {
  /** Not at all: products and sums in f32. */
  EXACT,

  /**
   * Inputs and weights to bf16 (8 significant bits), sums in f32. An output errs by about 0.3 % of
   * the size of its terms.
   */
  BF16,

  /**
   * Also, where the weights are 8-bit integers, inputs to 8 bits over the range of each token, with
   * exact sums of integers; a value errs by up to 1/510 of its token's range. Other layers may be
   * rounded to bf16.
   */
  INT8;

  /** Whether inputs may be rounded as far as another level says. */
  public boolean permits(Precision other) {
    return compareTo(other) >= 0;
  }

  /**
   * The precision a text names: {@code exact}, {@code bf16} or {@code int8}.
   *
   * @throws InputException if it names none
   */
  public static Precision parse(String text) {
    return switch (text) {
      case "exact" -> EXACT;
      case "bf16" -> BF16;
      case "int8" -> INT8;
      default ->
          throw new InputException("'" + text + "' is no precision", "use exact, bf16 or int8");
    };
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
