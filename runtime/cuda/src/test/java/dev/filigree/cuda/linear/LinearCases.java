package dev.filigree.cuda.linear;

import dev.filigree.DType;
import dev.filigree.kernel.Activation;
import dev.filigree.kernels.cuda.ActivationType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.Dense;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Values;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Random;

/** Random linear layers of every form. */
final class LinearCases {
  private static final Activation[] ACTIVATIONS = Activation.values();

  private final Random random;

  LinearCases(long seed) {
    this.random = new Random(seed);
  }

  /** A layer with a bias, a residual and an activation, by chance. */
  LinearCase layer(WeightsForm form, ActivationType type, int rows, int columns, int tokens) {
    return new LinearCase(
        weights(form, rows, columns, random.nextInt(4)),
        type,
        tokens,
        x(type, tokens * columns),
        type == ActivationType.I8 ? uniform(tokens, 0.001f, 0.1f) : null,
        random.nextBoolean() ? uniform(rows, -1, 1) : null,
        random.nextBoolean() ? rounded(DType.F16, DType.BF16, uniform(tokens * rows, -2, 2)) : null,
        ACTIVATIONS[random.nextInt(ACTIVATIONS.length)],
        random.nextInt(3) == 0);
  }

  /** The plainest layer. */
  LinearCase plain(WeightsForm form, ActivationType type, int rows, int columns, int tokens) {
    return new LinearCase(
        weights(form, rows, columns, 1),
        type,
        tokens,
        x(type, tokens * columns),
        type == ActivationType.I8 ? uniform(tokens, 0.001f, 0.1f) : null,
        null,
        null,
        Activation.NONE,
        false);
  }

  /**
   * Random weights, every pattern of two kept columns among them.
   *
   * @param groupSteps steps that share a scale, 0 for all of them; where there are groups
   */
  private Weights weights(WeightsForm form, int rows, int columns, int groupSteps) {
    if (form.structure() == Structure.DENSE) {
      return switch (form.values()) {
        case F16, BF16 -> Dense.of(rows, columns, uniform(rows * columns, -1, 1));
        case I8 -> new Quantized(rows, columns, integers(rows, columns));
        case I4, I8_GROUPS ->
            new Packed(rows, columns, groups(form, rows, columns, 32 * groupSteps));
        default -> new Codebook(rows, columns, codes(form, rows, columns));
      };
    }
    int groups = Sparse24.groups(columns);
    int kept = groups * Sparse24.KEPT;
    Mask mask = Mask.none(rows, groups * Sparse24.GROUP);
    boolean[] beyond = new boolean[rows * kept];
    for (int row = 0; row < rows; row++) {
      for (int g = 0; g < groups; g++) {
        int first = random.nextInt(4);
        int second = (first + 1 + random.nextInt(3)) % 4;
        mask.keep(row, g * 4 + first);
        mask.keep(row, g * 4 + second);
        beyond[row * kept + g * 2] = g * 4 + Math.min(first, second) >= columns;
        beyond[row * kept + g * 2 + 1] = g * 4 + Math.max(first, second) >= columns;
      }
    }
    Values values =
        switch (form.values()) {
          case F16, BF16 -> {
            float[] all = uniform(rows * kept, -1, 1);
            for (int i = 0; i < all.length; i++) {
              all[i] = beyond[i] ? 0 : all[i];
            }
            yield FloatValues.of(DType.F32, all);
          }
          case I8 -> integers(rows, kept);
          case I4, I8_GROUPS -> zeroBeyond(groups(form, rows, kept, 16 * groupSteps), beyond);
          default -> codes(form, rows, kept);
        };
    return new Sparse24(rows, columns, mask, values);
  }

  private IntegerValues integers(int rows, int columns) {
    byte[] codes = new byte[rows * columns];
    random.nextBytes(codes);
    return new IntegerValues(
        DType.I8,
        MemorySegment.ofArray(codes),
        MemorySegment.ofArray(uniform(rows, 0.001f, 0.02f)),
        IntegerValues.SYMMETRIC);
  }

  /**
   * Integers of 2 to 4 or of 5 to 8 bits by groups, with zero points or without.
   *
   * @param length of a group, 0 for a whole row; wide ones have two groups then at least
   */
  private PackedIntegers groups(WeightsForm form, int rows, int perRow, int length) {
    boolean wide = form.values() == WeightsForm.Values.I8_GROUPS;
    int bits = wide ? 5 + random.nextInt(4) : 2 + random.nextInt(3);
    int step = form.structure() == Structure.DENSE ? 32 : 16;
    int group = length == 0 ? wide ? step : perRow : length;
    if (wide && group >= perRow) {
      group = step;
    }
    byte[] codes = new byte[rows * perRow];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) (random.nextInt(1 << bits) - (1 << bits - 1));
    }
    int groups = Math.ceilDiv(perRow, group);
    PackedIntegers symmetric =
        PackedIntegers.of(
            bits, perRow, group, codes, DType.F32, uniform(rows * groups, 1e-6f, 0.3f));
    if (random.nextBoolean()) {
      return symmetric;
    }
    byte[] zeroPoints = new byte[rows * groups];
    for (int i = 0; i < zeroPoints.length; i++) {
      zeroPoints[i] = (byte) random.nextInt(1 << bits);
    }
    return new PackedIntegers(
        bits,
        perRow,
        group,
        symmetric.words(),
        DType.F32,
        symmetric.scales(),
        MemorySegment.ofArray(zeroPoints),
        PackedIntegers.NONE);
  }

  /** The same with symmetric codes that are 0 where columns do not exist. */
  private static PackedIntegers zeroBeyond(PackedIntegers values, boolean[] beyond) {
    byte[] codes = new byte[beyond.length];
    int half = 1 << values.bits() - 1;
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) (beyond[i] ? 0 : values.code(i) - half);
    }
    float[] scales = values.scales().toArray(DType.FLOAT);
    return PackedIntegers.of(
        values.bits(), values.perRow(), values.group(), codes, DType.F32, scales);
  }

  /**
   * Codes into a codebook for each row, or, where it has 256 entries, by chance into one for all.
   */
  private CodeValues codes(WeightsForm form, int rows, int columns) {
    int bits = form.values() == WeightsForm.Values.CODEBOOK256 ? 8 : 4;
    int books = bits == 8 && random.nextBoolean() ? 1 : rows;
    byte[] codes = new byte[rows * columns];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) random.nextInt(1 << bits);
    }
    return CodeValues.of(bits, codes, uniform(books << bits, -1, 1));
  }

  private float[] x(ActivationType type, int count) {
    if (type == ActivationType.I8) {
      float[] x = new float[count];
      for (int i = 0; i < count; i++) {
        x[i] = random.nextInt(-127, 128);
      }
      return x;
    }
    return rounded(DType.F16, DType.BF16, uniform(count, -1, 1));
  }

  /** Rounded to both types, so that either holds them. */
  private static float[] rounded(DType first, DType second, float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = LinearCase.round(second, LinearCase.round(first, values[i]));
    }
    return values;
  }

  float[] uniform(int count, float from, float to) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextFloat(from, to);
    }
    return values;
  }
}
