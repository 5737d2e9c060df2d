package dev.filigree.kernel.fused;

import dev.filigree.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * What attention adds to scores by the places of keys: a number for each head times the place (O.
 * Press et al., Train Short, Test Long: Attention with Linear Biases, 2022). Softmax leaves out
 * what all keys have in common, so that places count as distances do. Immutable.
 *
 * @param slopes what is added a place, by head of queries; empty for nothing
 * @param factor of the products of slopes and places
 * @param rounded whether slopes, places and their products are rounded to bf16, as Falcon has it
 * @param fromLast whether places are counted from the last one, as MPT has it: those of near keys
 *     are small, and products with them are precise in long texts too
 */
public record LinearBias(List<Float> slopes, float factor, boolean rounded, boolean fromLast) {
  /** Nothing is added. */
  public static final LinearBias NONE = new LinearBias(List.of(), 1, false, false);

  /** The slope's exponents of a power of two of heads reach from 0 to this. */
  private static final double LARGEST = 8;

  public LinearBias {
    slopes = List.copyOf(slopes);
  }

  /**
   * The usual slopes: the powers {@code 2^(-8 i / n)} for n heads, where n is a power of two; for
   * other numbers those of the power below, and every second one of those of the power above.
   *
   * @param heads of queries
   */
  public static LinearBias of(int heads, double factor, boolean rounded, boolean fromLast) {
    int power = Integer.highestOneBit(heads);
    List<Float> slopes = new ArrayList<>();
    for (int head = 0; head < heads; head++) {
      double exponent =
          head < power
              ? -LARGEST * (head + 1) / power
              : -LARGEST * (2 * (head - power) + 1) / (2 * power);
      slopes.add(round((float) Math.pow(2, exponent), rounded));
    }
    return new LinearBias(slopes, (float) factor, rounded, fromLast);
  }

  /** Whether something is added. */
  public boolean isPresent() {
    return !slopes.isEmpty();
  }

  /** What is added to the score of a head with the key at a place, less that of the last key. */
  public float below(int head, int place, int last) {
    return fromLast ? at(head, place - last) : at(head, place) - at(head, last);
  }

  /** What is added to the score of a head with the key at a place. */
  public float at(int head, int place) {
    return round(slopes.get(head) * round(place, rounded), rounded) * factor;
  }

  private static float round(float value, boolean rounded) {
    return rounded ? Float.intBitsToFloat(DType.toBfloat16(value) << Short.SIZE) : value;
  }
}
