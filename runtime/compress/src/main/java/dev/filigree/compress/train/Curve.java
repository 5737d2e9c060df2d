package dev.filigree.compress.train;

import dev.filigree.UnsupportedException;
import dev.filigree.kernel.Activation;
import dev.filigree.plan.WorkerPool;
import java.util.EnumSet;
import java.util.Set;

/** Activations and their slopes, f32 and fast enough for training. */
final class Curve {
  /** Values a thread takes at once. */
  private static final int PIECE = 1 << 13;

  private static final float INVERSE_ROOT_TWO_PI = 0.398942280401432678f;
  private static final float INVERSE_ROOT_TWO = 0.707106781186547524f;

  private static final Set<Activation> UNKNOWN =
      EnumSet.of(Activation.GELU_TANH, Activation.HARD_SWISH);

  private Curve() {}

  /** Whether an activation can be applied; none can be left out. */
  static boolean isKnown(Activation activation) {
    return !UNKNOWN.contains(activation);
  }

  /**
   * Applies an activation in place.
   *
   * @param slopes receives the derivative at each value, unless null
   */
  static void apply(Activation activation, float[] values, float[] slopes, WorkerPool pool) {
    if (activation == Activation.NONE) {
      throw new IllegalArgumentException("nothing to apply");
    }
    pool.forEach(
        Math.ceilDiv(values.length, PIECE),
        (piece, worker) -> {
          int from = piece * PIECE;
          int to = Math.min(values.length, from + PIECE);
          for (int i = from; i < to; i++) {
            float x = values[i];
            float y;
            float slope;
            switch (activation) {
              case RELU -> {
                y = Math.max(x, 0);
                slope = x > 0 ? 1 : 0;
              }
              case GELU -> {
                float below = normal(x);
                y = x * below;
                slope = below + x * INVERSE_ROOT_TWO_PI * exp(-0.5f * x * x);
              }
              case TANH -> {
                y = (float) Math.tanh(x);
                slope = 1 - y * y;
              }
              case SIGMOID -> {
                y = 1 / (1 + exp(-x));
                slope = y * (1 - y);
              }
              case SILU -> {
                float s = 1 / (1 + exp(-x));
                y = x * s;
                slope = s * (1 + x * (1 - s));
              }
              default ->
                  throw new UnsupportedException(
                      "the activation " + activation.label() + " cannot be trained through",
                      "train networks with relu, gelu, tanh, sigmoid or silu");
            }
            values[i] = y;
            if (slopes != null) {
              slopes[i] = slope;
            }
          }
        });
  }

  /**
   * Probability that a standard normal variable is at most x, by formula 7.1.26 of Abramowitz and
   * Stegun, whose error is below 1.5e-7.
   */
  static float normal(float x) {
    float z = Math.abs(x) * INVERSE_ROOT_TWO;
    float t = 1 / (1 + 0.3275911f * z);
    float series =
        t
            * (0.254829592f
                + t
                    * (-0.284496736f
                        + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    float tail = 0.5f * series * exp(-z * z);
    return x < 0 ? tail : 1 - tail;
  }

  /**
   * {@code e^x} with a relative error of a few units in the last place: a power of two by its bits
   * and a polynomial of degree six for the rest.
   */
  static float exp(float x) {
    float clamped = Math.clamp(x, -87.0f, 88.0f);
    float turns = (float) Math.rint(clamped * 1.44269504f);
    // ln 2 in two parts, so that the difference is exact
    float r = clamped - turns * 0.693359375f + turns * 2.12194440e-4f;
    float p =
        1
            + r
                * (1
                    + r
                        * (0.5f
                            + r
                                * (0.16666667f
                                    + r
                                        * (0.041666667f
                                            + r * (0.0083333333f + r * 0.0013888889f)))));
    return p * Float.intBitsToFloat((int) turns + 127 << 23);
  }
}
