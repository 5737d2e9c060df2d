package dev.filigree.graph.pass;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Whole weights of products with codes of 8 bits, in parts of which f32 holds every sum exactly.
 *
 * <p>A code less its zero point lies within 255 successive integers, 0 among them. So whatever
 * products of an output are added, in whatever order, the sum is at most 255 times the sum of the
 * positive weights, and at least as far below 0 as 255 times that of the negative ones. Where that
 * is more than 2^24, weights are written as {@code 16 * high + low}: sums of the multiples of 16
 * may be 16 times as large, and those of the rest are small. The f32 sum of both parts then is the
 * whole sum rounded once, as if an integer had been converted.
 *
 * @param parts the weights of each part, output by output
 * @param biases what is added to each part
 * @param bound of all sums of a single part, in either direction
 */
record ExactWeights(List<float[]> parts, List<float[]> biases, long bound) {
  /** f32 holds all integers up to here. */
  static final long EXACT = 1 << 24;

  /** Of a code less its zero point, in either direction. */
  private static final int CODES = 255;

  /** What divides high parts. */
  private static final int UNIT = 16;

  /**
   * The parts of weights.
   *
   * @param weights output by output
   * @param bias one value for each output
   * @return nothing if some sum may not be exact
   */
  static Optional<ExactWeights> of(int[] weights, long[] bias) {
    int columns = bias.length == 0 ? 0 : weights.length / bias.length;
    long whole = bound(weights, columns, bias, Part.ALL);
    if (whole <= EXACT) {
      return Optional.of(of(weights, bias, whole, Part.ALL));
    }
    boolean splits =
        bound(weights, columns, bias, Part.HIGH) <= EXACT * UNIT
            && bound(weights, columns, bias, Part.LOW) <= EXACT;
    return splits ? Optional.of(of(weights, bias, whole, Part.HIGH, Part.LOW)) : Optional.empty();
  }

  /** A part of each weight. */
  private enum Part {
    ALL,
    /** Multiples of 16. */
    HIGH,
    LOW;

    long of(long weight) {
      long low = Math.floorMod(weight + UNIT / 2, UNIT) - UNIT / 2;
      return switch (this) {
        case ALL -> weight;
        case HIGH -> weight - low;
        case LOW -> low;
      };
    }
  }

  /** The largest sum of an output, in either direction. */
  private static long bound(int[] weights, int columns, long[] bias, Part part) {
    long bound = 0;
    for (int output = 0; output < bias.length; output++) {
      long above = Math.max(part.of(bias[output]), 0);
      long below = Math.max(-part.of(bias[output]), 0);
      for (int i = output * columns; i < (output + 1) * columns; i++) {
        long weight = part.of(weights[i]);
        above += CODES * Math.max(weight, 0);
        below += CODES * Math.max(-weight, 0);
      }
      bound = Math.max(bound, Math.max(above, below));
    }
    return bound;
  }

  private static ExactWeights of(int[] weights, long[] bias, long bound, Part... parts) {
    List<float[]> values = new ArrayList<>();
    List<float[]> biases = new ArrayList<>();
    for (Part part : parts) {
      float[] value = new float[weights.length];
      for (int i = 0; i < value.length; i++) {
        value[i] = part.of(weights[i]);
      }
      float[] added = new float[bias.length];
      for (int i = 0; i < added.length; i++) {
        added[i] = part.of(bias[i]);
      }
      values.add(value);
      biases.add(added);
    }
    return new ExactWeights(values, biases, bound);
  }
}
