package dev.filigree.compress.train;

import dev.filigree.UnsupportedException;
import dev.filigree.kernel.Activation;
import dev.filigree.plan.WorkerPool;
import java.util.EnumSet;
import java.util.Set;

/** Activations and their slopes, f32 and fast enough for training. */
final class Curve {
  /** Values a thread takes at once. */
  private static final int PIECE = 8 * Strip.LENGTH;

  /** One and a half times 2^23. */
  private static final float ROUNDING = 12582912f;

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
          Strip strip = new Strip();
          int end = Math.min(values.length, (piece + 1) * PIECE);
          for (int from = piece * PIECE; from < end; from += Strip.LENGTH) {
            strip.apply(activation, values, slopes, from, Math.min(end, from + Strip.LENGTH));
          }
        });
  }

  /**
   * A stretch of values with room for what is made on the way. Every loop does one thing without a
   * branch or a call that the compiler could not turn into vector instructions; only bits become
   * floats one by one.
   */
  private static final class Strip {
    static final int LENGTH = 1024;

    private final float[] x = new float[LENGTH];
    private final float[] power = new float[LENGTH];
    private final float[] rest = new float[LENGTH];
    private final int[] bits = new int[LENGTH];

    void apply(Activation activation, float[] values, float[] slopes, int from, int to) {
      int count = to - from;
      System.arraycopy(values, from, x, 0, count);
      switch (activation) {
        case RELU -> {
          for (int i = 0; i < count; i++) {
            values[from + i] = Math.max(x[i], 0);
          }
        }
        case GELU -> gelu(values, from, count);
        case TANH -> {
          for (int i = 0; i < count; i++) {
            values[from + i] = (float) Math.tanh(x[i]);
          }
        }
        case SIGMOID, SILU -> sigmoid(activation == Activation.SILU, values, from, count);
        default ->
            throw new UnsupportedException(
                "the activation " + activation.label() + " cannot be trained through",
                "train networks with relu, gelu, tanh, sigmoid or silu");
      }
      if (slopes != null) {
        slopes(activation, values, slopes, from, count);
      }
    }

    /** {@code e^z} of what is in {@link #rest}, into {@link #power}. */
    private void powers(int count) {
      for (int i = 0; i < count; i++) {
        float z = Math.max(-87.0f, Math.min(88.0f, rest[i]));
        // adding and taking away what leaves no bits for fractions rounds to a whole number
        float turns = z * 1.44269504f + ROUNDING - ROUNDING;
        // ln 2 in two parts, so that the difference is exact
        rest[i] = z - turns * 0.693359375f + turns * 2.12194440e-4f;
        bits[i] = (int) turns + 127 << 23;
      }
      for (int i = 0; i < count; i++) {
        power[i] = Float.intBitsToFloat(bits[i]);
      }
      for (int i = 0; i < count; i++) {
        power[i] *= series(rest[i]);
      }
    }

    private void gelu(float[] values, int from, int count) {
      for (int i = 0; i < count; i++) {
        rest[i] = -0.5f * x[i] * x[i];
      }
      powers(count);
      for (int i = 0; i < count; i++) {
        float tail = tail(Math.abs(x[i]) * INVERSE_ROOT_TWO, power[i]);
        // half of the sign: the tail belongs below for what is negative, above for the rest
        float half = Math.copySign(0.5f, x[i]);
        values[from + i] = x[i] * (0.5f + half - 2 * half * tail);
      }
    }

    private void sigmoid(boolean timesInput, float[] values, int from, int count) {
      for (int i = 0; i < count; i++) {
        rest[i] = -x[i];
      }
      powers(count);
      for (int i = 0; i < count; i++) {
        float s = 1 / (1 + power[i]);
        values[from + i] = timesInput ? x[i] * s : s;
      }
    }

    /** Derivatives at the values before, {@link #power} being what the activation left there. */
    private void slopes(Activation activation, float[] y, float[] slopes, int from, int count) {
      switch (activation) {
        case RELU -> {
          for (int i = 0; i < count; i++) {
            slopes[from + i] = x[i] > 0 ? 1 : 0;
          }
        }
        case GELU -> {
          for (int i = 0; i < count; i++) {
            float tail = tail(Math.abs(x[i]) * INVERSE_ROOT_TWO, power[i]);
            float half = Math.copySign(0.5f, x[i]);
            slopes[from + i] =
                0.5f + half - 2 * half * tail + x[i] * INVERSE_ROOT_TWO_PI * power[i];
          }
        }
        case TANH -> {
          for (int i = 0; i < count; i++) {
            slopes[from + i] = 1 - y[from + i] * y[from + i];
          }
        }
        case SIGMOID -> {
          for (int i = 0; i < count; i++) {
            slopes[from + i] = y[from + i] * (1 - y[from + i]);
          }
        }
        default -> {
          for (int i = 0; i < count; i++) {
            float s = 1 / (1 + power[i]);
            slopes[from + i] = s * (1 + x[i] * (1 - s));
          }
        }
      }
    }
  }

  /**
   * Probability that a standard normal variable is at least a positive x, by formula 7.1.26 of
   * Abramowitz and Stegun, whose error is below 1.5e-7.
   *
   * @param z x over the root of two
   * @param power {@code e^(-z^2)}
   */
  private static float tail(float z, float power) {
    float t = 1 / (1 + 0.3275911f * z);
    float series =
        t
            * (0.254829592f
                + t
                    * (-0.284496736f
                        + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    return 0.5f * series * power;
  }

  /** {@code e^r} for at most half of ln 2, as a polynomial of degree six. */
  private static float series(float r) {
    return 1
        + r
            * (1
                + r
                    * (0.5f
                        + r
                            * (0.16666667f
                                + r * (0.041666667f + r * (0.0083333333f + r * 0.0013888889f)))));
  }

  /** {@code e^x} with a relative error of a few units in the last place. */
  static float exp(float x) {
    float clamped = Math.max(-87.0f, Math.min(88.0f, x));
    float turns = clamped * 1.44269504f + ROUNDING - ROUNDING;
    float r = clamped - turns * 0.693359375f + turns * 2.12194440e-4f;
    return series(r) * Float.intBitsToFloat((int) turns + 127 << 23);
  }
}
