package dev.filigree.testing;

import dev.filigree.weights.Mask;
import java.util.List;
import java.util.SplittableRandom;

/** Random test data, the same for the same seed. */
public final class Samples {
  private final long seed;
  private final SplittableRandom random;

  /** Data of a seed. */
  public Samples(long seed) {
    this.seed = seed;
    this.random = new SplittableRandom(seed);
  }

  /** An integer from a range, both ends included. */
  public int between(int least, int most) {
    return random.nextInt(least, most + 1);
  }

  /** True with a probability. */
  public boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  /** One of several things. */
  public <T> T oneOf(List<T> choices) {
    return choices.get(random.nextInt(choices.size()));
  }

  /** Any bytes. */
  public byte[] bytes(int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  /** Normally distributed numbers with mean 0 and deviation 1: weights and activations. */
  public float[] normal(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Any bit patterns, with negative zero, infinities, subnormals and NaN payloads among them. */
  public float[] anyFloats(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      int bits =
          switch (random.nextInt(8)) {
            case 0 -> 0x8000_0000;
            case 1 -> 0x7f80_0000 | random.nextInt();
            case 2 -> random.nextInt() & 0x807f_ffff;
            default -> random.nextInt();
          };
      values[i] = Float.intBitsToFloat(bits);
    }
    return values;
  }

  /** A mask that keeps each weight with a probability; some rows are empty. */
  public Mask mask(int rows, int columns, double density) {
    boolean[] empty = new boolean[rows];
    for (int row = 0; row < rows; row++) {
      empty[row] = chance(0.1);
    }
    return Mask.of(rows, columns, (row, column) -> !empty[row] && chance(density));
  }

  /** A mask that keeps none, one or two of every four columns. */
  public Mask mask24(int rows, int columns) {
    Mask mask = Mask.none(rows, columns);
    for (int row = 0; row < rows; row++) {
      for (int start = 0; start < columns; start += 4) {
        int width = Math.min(4, columns - start);
        for (int kept = between(0, 2); kept > 0; kept--) {
          mask.keep(row, start + random.nextInt(width));
        }
      }
    }
    return mask;
  }

  @Override
  public String toString() {
    return "seed " + seed;
  }
}
