package dev.filigree.text;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Draws tokens from scores. To be used by one thread at a time. */
public final class Sampler {
  private final Sampling sampling;
  private final SplittableRandom random;
  private long[] order = new long[0];
  private double[] shares = new double[0];

  /** A sampler whose draws follow from the seed. */
  public Sampler(Sampling sampling) {
    this.sampling = sampling;
    this.random = new SplittableRandom(sampling.seed());
  }

  /**
   * Draws a token.
   *
   * @param scores of all tokens, as a decoder gives them
   */
  public int next(float[] scores) {
    if (sampling.temperature() == 0 || sampling.topK() == 1) {
      return likeliest(scores);
    }
    int count = sorted(scores);
    double most = scores[token(0)];
    double sum = 0;
    for (int i = 0; i < count; i++) {
      shares[i] = Math.exp((scores[token(i)] - most) / sampling.temperature());
      sum += shares[i];
    }
    double kept = 0;
    int last = 0;
    for (; last < count && (last == 0 || kept < sampling.topP() * sum); last++) {
      kept += shares[last];
    }
    double drawn = random.nextDouble() * kept;
    int chosen = 0;
    for (double passed = shares[0]; chosen < last - 1 && passed <= drawn; ) {
      passed += shares[++chosen];
    }
    return token(chosen);
  }

  /** The likeliest token, the first of several; not a number counts for nothing. */
  private static int likeliest(float[] scores) {
    int best = 0;
    for (int i = 1; i < scores.length; i++) {
      if (scores[i] > scores[best] || Float.isNaN(scores[best])) {
        best = i;
      }
    }
    return best;
  }

  /** Sorts tokens, the likeliest first and among equals the first; returns how many count. */
  private int sorted(float[] scores) {
    if (order.length != scores.length) {
      order = new long[scores.length];
      shares = new double[scores.length];
    }
    for (int i = 0; i < scores.length; i++) {
      int bits = Float.floatToIntBits(Float.isNaN(scores[i]) ? Float.NEGATIVE_INFINITY : scores[i]);
      // negative floats grow with the size of their bits, so those are turned over
      int rising = bits < 0 ? ~bits ^ Integer.MIN_VALUE : bits;
      order[i] = (long) ~rising << Integer.SIZE | i;
    }
    Arrays.sort(order);
    return sampling.topK() == 0 ? scores.length : Math.min(sampling.topK(), scores.length);
  }

  private int token(int rank) {
    return (int) order[rank];
  }
}
