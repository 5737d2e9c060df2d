package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.InputException;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Values;
import java.lang.foreign.MemorySegment;

/**
 * Rounds to scaled integers.
 *
 * @param encoding that was fitted
 * @param scales {@code [rows, groups]}, or one
 * @param groups of a row, 1 unless scales belong to groups
 * @param group stored values of a group
 * @param columns inputs of a group
 */
record IntegerCoder(Encoding.Integers encoding, float[] scales, int groups, int group, int columns)
    implements Coder {
  /** Scales of groups are stored in a type with the range of f32, a half of its bytes. */
  private static final DType SCALE_TYPE = DType.BF16;

  /** What to do where weights that any structure keeps cannot be packed. */
  static final String SPARSE_REMEDY =
      "use 8 bits and the strategy channel or tensor, or prune to 2:4";

  /** Scales tried by a search: from the whole range down to this part of it. */
  private static final double LEAST_PART = 0.6;

  private static final double PART_STEP = 0.02;

  static IntegerCoder fit(
      Encoding.Integers encoding,
      float[] values,
      int rows,
      int perRow,
      int columns,
      float[] sensitivity) {
    int group = perRow;
    if (encoding.granularity() == Encoding.Granularity.GROUP) {
      long kept = (long) encoding.group() * perRow;
      if (kept % columns != 0) {
        throw new InputException(
            "groups of "
                + encoding.group()
                + " inputs, of which "
                + perRow
                + " of "
                + columns
                + " are kept, hold no whole number of values",
            "choose a group size that does, such as a multiple of 4 for 2:4");
      }
      // a layer narrower than a group has one scale a row
      group = (int) Math.min(perRow, kept / columns);
    }
    if (encoding.granularity() == Encoding.Granularity.TENSOR) {
      float[] one = {scale(encoding, values, 0, values.length, sensitivity)};
      return new IntegerCoder(encoding, one, 1, perRow, Math.max(1, columns));
    }
    int groups = group == 0 ? 1 : Math.ceilDiv(perRow, group);
    float[] scales = new float[rows * groups];
    for (int i = 0; i < scales.length; i++) {
      int row = i / groups * perRow;
      int from = i % groups * group;
      int to = Math.min(perRow, from + group);
      scales[i] = scale(encoding, values, row + from, row + to, sensitivity);
    }
    int inputs = perRow == 0 ? 1 : (int) ((long) group * columns / perRow);
    return new IntegerCoder(encoding, scales, groups, group, Math.max(1, inputs));
  }

  static boolean isPacked(Encoding.Integers encoding) {
    return encoding.bits() < Byte.SIZE || encoding.granularity() == Encoding.Granularity.GROUP;
  }

  private static float scale(
      Encoding.Integers encoding, float[] values, int from, int to, float[] sensitivity) {
    float max = 0;
    for (int i = from; i < to; i++) {
      max = Math.max(max, Math.abs(values[i]));
    }
    float halfRange = ((1 << encoding.bits()) - 1) / 2f;
    float whole = stored(encoding, max / halfRange);
    if (!encoding.searched() || max == 0) {
      return whole;
    }
    float best = whole;
    double bestError = Double.POSITIVE_INFINITY;
    for (double part = 1; part > LEAST_PART; part -= PART_STEP) {
      float scale = stored(encoding, (float) (part * max / halfRange));
      double error = 0;
      for (int i = from; i < to && error < bestError; i++) {
        double difference = values[i] - code(encoding.bits(), values[i], scale) * (double) scale;
        error += (sensitivity == null ? 1 : sensitivity[i]) * difference * difference;
      }
      if (error < bestError) {
        bestError = error;
        best = scale;
      }
    }
    return best;
  }

  /**
   * The scale as it is stored; a group of zeros, or of weights next to nothing, keeps one that can
   * be divided by.
   */
  private static float stored(Encoding.Integers encoding, float scale) {
    float rounded =
        isPacked(encoding) ? Float.intBitsToFloat(DType.toBfloat16(scale) << Short.SIZE) : scale;
    return rounded == 0 ? Math.ulp(1f) : rounded;
  }

  private static int code(int bits, double value, float scale) {
    int half = 1 << bits - 1;
    return (int) Math.clamp(Math.rint(value / scale), -half, half - 1);
  }

  private float scale(int row, int column) {
    return scales.length == 1
        ? scales[0]
        : scales[row * groups + Math.min(groups - 1, column / columns)];
  }

  @Override
  public double round(int row, int column, double value) {
    float scale = scale(row, column);
    return code(encoding.bits(), value, scale) * (double) scale;
  }

  @Override
  public Values encode(float[] values, int rows, int perRow) {
    byte[] codes = new byte[values.length];
    for (int i = 0; i < codes.length; i++) {
      int at = scales.length == 1 ? 0 : i / perRow * groups + i % perRow / group;
      codes[i] = (byte) code(encoding.bits(), values[i], scales[at]);
    }
    if (isPacked(encoding)) {
      return PackedIntegers.of(
          encoding.bits(), Math.max(1, perRow), Math.max(1, group), codes, SCALE_TYPE, scales);
    }
    return integers(codes);
  }

  private IntegerValues integers(byte[] codes) {
    return new IntegerValues(
        DType.I8,
        MemorySegment.ofArray(codes),
        MemorySegment.ofArray(scales),
        IntegerValues.SYMMETRIC);
  }

  @Override
  public Values encode(float[] values, Mask mask) {
    if (isPacked(encoding)) {
      throw new InputException(
          "an unstructured layer cannot be written as " + encoding.label() + " in groups",
          SPARSE_REMEDY);
    }
    byte[] codes = new byte[values.length];
    int at = 0;
    for (int row = 0; row < mask.rows(); row++) {
      for (int end = at + mask.keptInRow(row); at < end; at++) {
        codes[at] = (byte) code(encoding.bits(), values[at], scale(row, 0));
      }
    }
    return integers(codes);
  }
}
