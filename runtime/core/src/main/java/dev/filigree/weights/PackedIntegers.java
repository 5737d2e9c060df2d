package dev.filigree.weights;

import dev.filigree.DType;
import dev.filigree.WeightsException;
import java.lang.foreign.MemorySegment;

/**
 * Integers of a few bits with a scale for each group of stored values, {@code value = (code -
 * zeroPoint) * scale}; the zero point is {@code 2^(bits-1)} where none are stored. A row of values
 * begins at a 32-bit word; value i of a row takes the bits {@code [bits*i, bits*(i+1))} of its
 * words, least significant first. This is the dense bit stream of the published {@code
 * pack-quantized} format (compressed-tensors 0.18).
 *
 * <pre>
 *   4 bits   word 0: v7 v6 v5 v4 v3 v2 v1 v0      word 1: v15 ...
 *   3 bits   word 0: v10 (low 2 bits) v9 ... v0   word 1: ... v11 v10 (high bit)
 * </pre>
 *
 * @param bits of a value, 2 to 8
 * @param perRow stored values of a row
 * @param group consecutive stored values of a row that share a scale
 * @param words i32 {@code [rows, ceil(perRow * bits / 32)]}
 * @param scaleType f32, f16 or bf16
 * @param scales {@code [rows, ceil(perRow / group)]}, or a single one for all
 * @param zeroPoints u8 of the scales' shape, or {@link #NONE}
 * @param groupOf i32 {@code [perRow]}, the group of each value of a row where values do not lie by
 *     groups (GPTQ in the order of activations), or {@link #NONE}
 */
public record PackedIntegers(
    int bits,
    int perRow,
    int group,
    MemorySegment words,
    DType scaleType,
    MemorySegment scales,
    MemorySegment zeroPoints,
    MemorySegment groupOf)
    implements Values {
  /** No zero points, or no order of groups. */
  public static final MemorySegment NONE = MemorySegment.ofArray(new byte[0]);

  /** Bits of a value at least: one bit has no symmetric levels. */
  public static final int LEAST_BITS = 2;

  /** Bits of a value at most. */
  public static final int MOST_BITS = 8;

  public PackedIntegers {
    if (bits < LEAST_BITS || bits > MOST_BITS) {
      throw new WeightsException(
          "integers of " + bits + " bits are not supported",
          "use " + LEAST_BITS + " to " + MOST_BITS + " bits");
    }
    if (perRow < 1 || group < 1) {
      throw new WeightsException(
          "groups of " + group + " in rows of " + perRow + " values", "use 1 or more of both");
    }
    if (words.byteSize() % (Integer.BYTES * (long) wordsPerRow(perRow, bits)) != 0) {
      throw new WeightsException(
          words.byteSize() + " bytes of integers are no whole number of rows",
          "store " + wordsPerRow(perRow, bits) + " words for each row");
    }
    if (zeroPoints.byteSize() != 0
        && zeroPoints.byteSize() != scales.byteSize() / scaleType.bytes()) {
      throw new WeightsException(
          zeroPoints.byteSize()
              + " zero points for "
              + scales.byteSize() / scaleType.bytes()
              + " scales",
          "store as many zero points as scales, or none");
    }
    if (groupOf.byteSize() != 0 && groupOf.byteSize() != (long) perRow * Integer.BYTES) {
      throw new WeightsException(
          groupOf.byteSize() + " bytes of groups for rows of " + perRow + " values",
          "store one i32 for each value of a row, or none");
    }
    if (!scaleType.isFloating()) {
      throw new WeightsException("scales of type " + scaleType, "store f32, f16 or bf16 scales");
    }
  }

  /** Symmetric integers whose groups follow each other. */
  public PackedIntegers(
      int bits, int perRow, int group, MemorySegment words, DType scaleType, MemorySegment scales) {
    this(bits, perRow, group, words, scaleType, scales, NONE, NONE);
  }

  /** Words that hold a row. */
  public static int wordsPerRow(int perRow, int bits) {
    return Math.toIntExact(((long) perRow * bits + Integer.SIZE - 1) / Integer.SIZE);
  }

  /**
   * Packs codes.
   *
   * @param codes one a byte {@code [rows, perRow]}
   * @param scales {@code [rows, ceil(perRow / group)]} or one, rounded to {@code scaleType}
   * @throws WeightsException if a code does not fit the bits
   */
  public static PackedIntegers of(
      int bits, int perRow, int group, byte[] codes, DType scaleType, float[] scales) {
    int rows = codes.length / perRow;
    int wordsPerRow = wordsPerRow(perRow, bits);
    int[] words = new int[Math.multiplyExact(rows, wordsPerRow)];
    int half = 1 << bits - 1;
    for (int row = 0; row < rows; row++) {
      long filled = 0;
      int used = 0;
      int at = row * wordsPerRow;
      for (int i = 0; i < perRow; i++) {
        int code = codes[row * perRow + i] + half;
        if (code >>> bits != 0) {
          throw new WeightsException(
              "code " + (code - half) + " does not fit " + bits + " bits",
              "use codes from " + -half + " to " + (half - 1));
        }
        filled |= (long) code << used;
        used += bits;
        if (used >= Integer.SIZE) {
          words[at++] = (int) filled;
          filled >>>= Integer.SIZE;
          used -= Integer.SIZE;
        }
      }
      if (used > 0) {
        words[at] = (int) filled;
      }
    }
    return new PackedIntegers(
        bits,
        perRow,
        group,
        MemorySegment.ofArray(words),
        scaleType,
        FloatValues.of(scaleType, scales).data());
  }

  /** Words of one row. */
  public int wordsPerRow() {
    return wordsPerRow(perRow, bits);
  }

  /** Groups of one row. */
  public int groupsPerRow() {
    return Math.ceilDiv(perRow, group);
  }

  private int rows() {
    return (int) (words.byteSize() / Integer.BYTES / wordsPerRow());
  }

  /** Whether one scale serves all values. */
  public boolean isOneScale() {
    return scales.byteSize() == scaleType.bytes();
  }

  @Override
  public long count() {
    return (long) rows() * perRow;
  }

  @Override
  public long bytes() {
    return words.byteSize() + scales.byteSize() + zeroPoints.byteSize() + groupOf.byteSize();
  }

  @Override
  public String encoding() {
    String grouped = isOneScale() || group == perRow ? "" : " g" + group;
    return "int" + bits + grouped;
  }

  /** The integer at a position. */
  public int code(long position) {
    long row = position / perRow;
    long bit = position % perRow * bits;
    long word = row * wordsPerRow() + (bit >>> 5);
    int shift = (int) (bit & 31);
    long pair = words.get(DType.INT, word * Integer.BYTES) & 0xffff_ffffL;
    if (shift + bits > Integer.SIZE) {
      pair |= (long) words.get(DType.INT, (word + 1) * Integer.BYTES) << Integer.SIZE;
    }
    return (int) (pair >>> shift) & (1 << bits) - 1;
  }

  /** Which scale serves the value at a position. */
  private long scaleOf(long position) {
    if (isOneScale()) {
      return 0;
    }
    long inRow = position % perRow;
    long inOrder =
        groupOf.byteSize() == 0 ? inRow / group : groupOf.get(DType.INT, inRow * Integer.BYTES);
    return position / perRow * groupsPerRow() + inOrder;
  }

  /** The scale of the value at a position. */
  public float scale(long position) {
    return scaleAt(scaleOf(position));
  }

  /** The zero point of the value at a position. */
  public int zeroPoint(long position) {
    return zeroPointAt(scaleOf(position));
  }

  private float scaleAt(long index) {
    return (float) scaleType.readDouble(scales, index * scaleType.bytes());
  }

  private int zeroPointAt(long index) {
    return zeroPoints.byteSize() == 0 ? 1 << bits - 1 : zeroPoints.get(DType.BYTE, index) & 0xff;
  }

  @Override
  public void decode(int row, long position, long stride, int count, float[] into, int at) {
    long served = -1;
    float scale = 0;
    int zeroPoint = 0;
    for (int i = 0; i < count; i++) {
      long from = position + i * stride;
      long index = scaleOf(from);
      // consecutive values mostly share a scale
      if (index != served) {
        served = index;
        scale = scaleAt(index);
        zeroPoint = zeroPointAt(index);
      }
      into[at + i] = (code(from) - zeroPoint) * scale;
    }
  }

  @Override
  public void validate(String layer, int rows) {
    long all = scales.byteSize() / scaleType.bytes();
    if (!isOneScale() && all != (long) rows() * groupsPerRow()) {
      throw new WeightsException(
          "layer " + layer + " has " + all + " scales for " + rows() + " rows",
          "store " + groupsPerRow() + " scales for each row, or one for all");
    }
    for (long i = 0; i < all; i++) {
      double scale = scaleType.readDouble(scales, i * scaleType.bytes());
      if (!Double.isFinite(scale)) {
        throw new WeightsException(
            "layer " + layer + " has the scale " + scale + " at position " + i,
            "quantise the layer again from finite weights");
      }
    }
    for (int i = 0; i < groupOf.byteSize() / Integer.BYTES; i++) {
      int inOrder = groupOf.get(DType.INT, (long) i * Integer.BYTES);
      if (inOrder < 0 || inOrder >= groupsPerRow()) {
        throw new WeightsException(
            "layer " + layer + " puts value " + i + " of a row into group " + inOrder,
            "use groups from 0 to " + (groupsPerRow() - 1));
      }
    }
    int spare = (int) ((long) wordsPerRow() * Integer.SIZE - (long) perRow * bits);
    for (int row = 0; spare > 0 && row < rows(); row++) {
      int last = words.get(DType.INT, ((row + 1L) * wordsPerRow() - 1) * Integer.BYTES);
      if (last >>> Integer.SIZE - spare != 0) {
        throw new WeightsException(
            "the integers of layer " + layer + " set bits behind the last one of row " + row,
            "clear them");
      }
    }
  }
}
