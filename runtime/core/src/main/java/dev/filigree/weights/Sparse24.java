package dev.filigree.weights;

import dev.filigree.WeightsException;

/**
 * 2:4 structured sparsity: of every four consecutive columns of a row exactly two are stored, in
 * ascending column order, in any encoding. Groups run along the reduction axis. A group with fewer
 * than two survivors stores zeros at filler positions, so that every group is legal for the
 * hardware.
 *
 * <pre>
 *   dense row    a 0 0 b | 0 c d 0 | 0 0 0 e
 *   mask         1 0 0 1 | 0 1 1 0 | 0 0 1 1      filler at column 10
 *   values       a b       c d       0 e
 * </pre>
 *
 * When the number of columns is no multiple of 4, the last group reaches beyond the row: its
 * columns there may hold filler zeros and nothing else.
 *
 * @param rows outputs
 * @param columns inputs
 * @param mask over {@code [rows, 4 * groups]}, two bits set in every group
 * @param values {@code [rows, 2 * groups]}
 */
public record Sparse24(int rows, int columns, Mask mask, Values values) implements Weights {
  /** Columns of a group. */
  public static final int GROUP = 4;

  /** Weights stored of a group. */
  public static final int KEPT = 2;

  public Sparse24 {
    int groups = groups(columns);
    mask.requireSize(rows, groups * GROUP, "pad the columns to a multiple of " + GROUP);
    if (values.count() != (long) rows * groups * KEPT) {
      throw new WeightsException(
          values.count() + " values for " + rows + " rows of " + groups + " groups",
          "store " + KEPT + " values for each group");
    }
  }

  /** Groups that cover a number of columns. */
  public static int groups(int columns) {
    return Math.ceilDiv(columns, GROUP);
  }

  /** Groups of a row. */
  public int groups() {
    return groups(columns);
  }

  /** How kept values are encoded when packing. */
  @FunctionalInterface
  public interface Encoder {
    /**
     * Encodes kept values.
     *
     * @param values {@code [rows, kept]}
     */
    Values encode(float[] values, int rows, int kept);
  }

  /**
   * Keeps the masked weights.
   *
   * @param dense {@code [rows, columns]}
   * @param keep over the same rows and columns, at most two bits set in every group
   * @throws WeightsException if the mask is of another size or a group keeps more than two
   */
  public static Sparse24 pack(Weights dense, Mask keep, Encoder encoder) {
    int rows = dense.rows();
    int columns = dense.columns();
    keep.requireSize(rows, columns, "choose the mask from these weights");
    keep.requireNoStrayBits("the weights to pack");
    int groups = groups(columns);
    Mask mask = Mask.none(rows, groups * GROUP);
    float[] kept = new float[Math.multiplyExact(rows, groups * KEPT)];
    float[] row = new float[groups * GROUP];
    for (int r = 0; r < rows; r++) {
      dense.unpackRow(r, row, 0);
      for (int g = 0; g < groups; g++) {
        int survivors = keep.group(r, g);
        int completed = complete(survivors);
        if (completed < 0) {
          throw new WeightsException(
              "the mask keeps "
                  + Integer.bitCount(survivors)
                  + " of the columns "
                  + g * GROUP
                  + " to "
                  + (g * GROUP + GROUP - 1)
                  + " in row "
                  + r,
              "keep at most " + KEPT + " of every " + GROUP);
        }
        int at = (r * groups + g) * KEPT;
        for (int c = 0; c < GROUP; c++) {
          if ((completed >> c & 1) != 0) {
            mask.keep(r, g * GROUP + c);
            kept[at++] = (survivors >> c & 1) != 0 ? row[g * GROUP + c] : 0f;
          }
        }
      }
    }
    return new Sparse24(rows, columns, mask, encoder.encode(kept, rows, groups * KEPT));
  }

  /**
   * The mask of a group completed to two columns, the way PyTorch's packer chooses the filler: an
   * empty group keeps columns 2 and 3, a lone survivor at 0 or 1 gets 2, at 2 or 3 the other of
   * these. -1 if there are three or four.
   */
  private static int complete(int survivors) {
    return switch (survivors) {
      case 0b0000, 0b0100, 0b1000 -> 0b1100;
      case 0b0001 -> 0b0101;
      case 0b0010 -> 0b0110;
      default -> Integer.bitCount(survivors) == KEPT ? survivors : -1;
    };
  }

  @Override
  public long stored() {
    return values.count();
  }

  @Override
  public boolean keeps(int row, int column) {
    return mask.kept(row, column);
  }

  @Override
  public long bytes() {
    return mask.bits().byteSize() + values.bytes();
  }

  @Override
  public String format() {
    return "2:4 " + values.encoding();
  }

  @Override
  public void unpackRow(int row, float[] into, int at) {
    if (columns == 1) {
      // the one row shorter than its stored values
      into[at] = 0;
      if (mask.kept(row, 0)) {
        values.decode(row, (long) row * KEPT, 1, 1, into, at);
      }
      return;
    }
    int groups = groups();
    values.decode(row, (long) row * groups * KEPT, 1, groups * KEPT, into, at);
    // a value's place is never before its position, so spreading from the end overwrites none
    // unread
    for (int g = groups - 1; g >= 0; g--) {
      float first = into[at + g * KEPT];
      float second = into[at + g * KEPT + 1];
      int bits = mask.group(row, g);
      int end = Math.min(columns, (g + 1) * GROUP);
      for (int c = g * GROUP; c < end; c++) {
        into[at + c] = 0;
      }
      place(into, at, g * GROUP + Integer.numberOfTrailingZeros(bits), first);
      place(into, at, g * GROUP + 31 - Integer.numberOfLeadingZeros(bits), second);
    }
  }

  private void place(float[] into, int at, int column, float value) {
    if (column < columns) {
      into[at + column] = value;
    }
  }

  @Override
  public void validate(String layer) {
    if (!mask.everyNibbleKeepsTwo()) {
      validateGroups(layer);
    }
    mask.requireNoStrayBits("layer " + layer);
    values.validate(layer, rows);
    if (columns % GROUP != 0) {
      validatePadding(layer);
    }
  }

  /** Names the first group that is not one. */
  private void validateGroups(String layer) {
    for (int row = 0; row < rows; row++) {
      for (int g = 0; g < groups(); g++) {
        if (Integer.bitCount(mask.group(row, g)) != KEPT) {
          throw new WeightsException(
              "layer "
                  + layer
                  + " keeps "
                  + Integer.bitCount(mask.group(row, g))
                  + " of the columns "
                  + g * GROUP
                  + " to "
                  + (g * GROUP + GROUP - 1)
                  + " in row "
                  + row
                  + ", so it is not 2:4",
              "store exactly " + KEPT + " of every " + GROUP + " columns along the inputs");
        }
      }
    }
  }

  /** A kernel multiplies what is stored beyond the last column with whatever it finds there. */
  private void validatePadding(String layer) {
    float[] last = new float[KEPT];
    for (int row = 0; row < rows; row++) {
      int group = groups() - 1;
      values.decode(row, ((long) row * groups() + group) * KEPT, 1, KEPT, last, 0);
      int kept = mask.group(row, group);
      for (int i = 0; i < KEPT; i++, kept &= kept - 1) {
        boolean beyond = group * GROUP + Integer.numberOfTrailingZeros(kept) >= columns;
        if (beyond && last[i] != 0) {
          throw new WeightsException(
              "layer " + layer + " stores " + last[i] + " beyond its last column in row " + row,
              "store zeros there");
        }
      }
    }
  }
}
