package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.kernels.cuda.WeightsForm;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Sparse24;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Integers with a scale and a zero point for each group along K, in four bits if they fit or in
 * eight. A group's scale is divided by a power of two, the row's scale, so that f16 holds it
 * whatever its range.
 *
 * <pre>
 *   panel 0: | group 0: 64 scales, 64 offsets | group 1 | ... |   panel 1: ...
 * </pre>
 *
 * @param weights whose values they are
 * @param values the integers
 * @param structure whether only kept values are stored
 * @param order of the columns, if not that of the file; null then
 */
record StoredGroups(Weights weights, PackedIntegers values, Structure structure, GroupOrder order)
    implements StoredRows {
  /** Bits of a code in the kernels of short ones. */
  static final int BITS = 4;

  /** The f16 number whose last place is 1: a code as its low bits adds the code. */
  private static final int F16_BIAS = 1024;

  /** A row of a panel has a scale and an offset of 16 bits. */
  private static final int GROUP_BYTES = 2 * FragmentPlace.PANEL_ROWS * Short.BYTES;

  /** Integers in the order in which kernels take them. */
  static StoredGroups of(Weights weights, PackedIntegers values, Structure structure) {
    return new StoredGroups(weights, values, structure, order(values, structure).orElse(null));
  }

  /** The order of the columns where kernels do not take the file's. */
  static Optional<GroupOrder> order(PackedIntegers values, Structure structure) {
    double weightBytes = (values.bits() <= BITS ? BITS : Byte.SIZE) / (double) Byte.SIZE;
    int together = structure == Structure.SPARSE24 ? Sparse24.KEPT : 1;
    return GroupOrder.of(values, perStep(structure), together, weightBytes);
  }

  /** How many columns the inputs have in the order of the weights, if that is their own. */
  static OptionalInt orderedColumns(PackedIntegers values, Structure structure) {
    return order(values, structure).stream()
        .mapToInt(order -> columnsOf(order, structure))
        .findFirst();
  }

  private static int columnsOf(GroupOrder order, Structure structure) {
    int stored = order.columns().length;
    return structure == Structure.SPARSE24 ? stored / Sparse24.KEPT * Sparse24.GROUP : stored;
  }

  /** How kernels take them. */
  static WeightsForm.Values encoding(PackedIntegers values) {
    return values.bits() <= BITS ? WeightsForm.Values.I4 : WeightsForm.Values.I8_GROUPS;
  }

  /** Whether kernels of groups take them: wider ones without groups have others. */
  static boolean fit(PackedIntegers values) {
    return !StoredIntegers.fit(values);
  }

  static boolean isOneGroup(PackedIntegers values) {
    return values.isOneScale() || values.group() >= values.perRow();
  }

  private static int perStep(Structure structure) {
    FragmentPlace place =
        structure == Structure.SPARSE24 ? FragmentPlace.SPARSE_CODES : FragmentPlace.DENSE_CODES;
    return place.storedPerStep();
  }

  @Override
  public int columns() {
    return order == null ? weights.columns() : columnsOf(order, structure);
  }

  @Override
  public MemorySegment order(Arena arena) {
    if (order == null) {
      return arena.allocate(0);
    }
    if (structure == Structure.DENSE) {
      return arena.allocateFrom(DType.INT, order.columns());
    }
    int[] inputs = new int[columns()];
    for (int i = 0; i < inputs.length; i++) {
      int place = i / Sparse24.GROUP;
      int inFour = i % Sparse24.GROUP;
      int four = four(place);
      int column = four * Sparse24.GROUP + inFour;
      boolean isNone = four < 0 || column >= weights.columns() || inFour == without(place);
      inputs[i] = isNone ? GroupOrder.NONE : column;
    }
    return arena.allocateFrom(DType.INT, inputs);
  }

  /** The stored column at one of the two positions of a place; {@link GroupOrder#NONE} for none. */
  private int stored(int place, int position) {
    int at = place * Sparse24.KEPT + position;
    return at < order.columns().length ? order.columns()[at] : GroupOrder.NONE;
  }

  @Override
  public int four(int place) {
    if (order == null) {
      return StoredRows.super.four(place);
    }
    int either = Math.max(stored(place, 0), stored(place, 1));
    return either == GroupOrder.NONE ? GroupOrder.NONE : either / Sparse24.KEPT;
  }

  /**
   * The column of a place's four that has no input there, so that the value that is not there meets
   * a zero; a negative one if both values are. The first of two kept columns is never the last of
   * four, and the second never the first:
   *
   * <pre>
   *   columns  0 1 2 3     kept: 1 and 2, of two groups
   *   place of the first:   inputs 0 1 2 -   metadata 1, 3
   *   place of the second:  inputs - 1 2 3   metadata 0, 2
   * </pre>
   */
  private int without(int place) {
    if (order == null || stored(place, 0) >= 0 && stored(place, 1) >= 0) {
      return GroupOrder.NONE;
    }
    return stored(place, 0) < 0 ? 0 : Sparse24.GROUP - 1;
  }

  @Override
  public int kept(int place, int mask) {
    int without = without(place);
    if (without < 0) {
      return mask;
    }
    int there = without == 0 ? Integer.highestOneBit(mask) : Integer.lowestOneBit(mask);
    return there | 1 << without;
  }

  @Override
  public void row(int row, int[] into) {
    int count = order == null ? StoredRows.count(weights) : order.columns().length;
    long first = StoredRows.first(weights, row);
    for (int i = 0; i < count; i++) {
      int column = order == null ? i : order.columns()[i];
      // where there is no column the activations are 0, and scales are finite
      into[i] = column == GroupOrder.NONE ? 0 : values.code(first + column);
    }
    Arrays.fill(into, count, into.length, 0);
  }

  private int groupsOfRow() {
    if (order != null) {
      return order.groups().length;
    }
    return isOneGroup(values) ? 1 : values.groupsPerRow();
  }

  /** Position of a value of a group. */
  private long first(int row, int group) {
    long inRow = order == null ? (long) group * values.group() : order.groups()[group];
    return StoredRows.first(weights, row) + inRow;
  }

  /** The power of two that brings the largest scale of a row into [1, 2). */
  private float rowScale(int row) {
    float largest = 0;
    for (int group = 0; group < groupsOfRow(); group++) {
      largest = Math.max(largest, Math.abs(values.scale(first(row, group))));
    }
    int exponent = Math.max(Float.MIN_EXPONENT, Math.getExponent(largest));
    return largest == 0 ? 1 : Math.scalb(1f, exponent);
  }

  @Override
  public MemorySegment scales(int padded, Arena arena) {
    MemorySegment scales = arena.allocate((long) padded * Float.BYTES, 16);
    for (int row = 0; row < weights.rows(); row++) {
      scales.set(DType.FLOAT, (long) row * Float.BYTES, rowScale(row));
    }
    return scales;
  }

  @Override
  public Map<String, Integer> numbers(int steps) {
    return Map.of("stepsPerGroup", stepsPerGroup(steps));
  }

  private int stepsPerGroup(int steps) {
    if (order != null) {
      return order.stepsPerGroup();
    }
    return isOneGroup(values) ? steps : values.group() / perStep(structure);
  }

  @Override
  public MemorySegment groups(int panels, int steps, Arena arena) {
    int groups = Math.ceilDiv(steps, stepsPerGroup(steps));
    MemorySegment parameters = arena.allocate((long) panels * groups * GROUP_BYTES, 16);
    // K is padded to more steps than there are groups for; scale 0 makes these 0
    for (int row = 0; row < weights.rows(); row++) {
      float rowScale = rowScale(row);
      int panel = row / FragmentPlace.PANEL_ROWS;
      for (int group = 0; group < groupsOfRow(); group++) {
        long block = ((long) panel * groups + group) * GROUP_BYTES;
        long at = block + (long) row % FragmentPlace.PANEL_ROWS * Short.BYTES;
        float scale = values.scale(first(row, group)) / rowScale;
        float offset = F16_BIAS + values.zeroPoint(first(row, group));
        parameters.set(DType.SHORT, at, Float.floatToFloat16(scale));
        parameters.set(DType.SHORT, at + GROUP_BYTES / 2, Float.floatToFloat16(offset));
      }
    }
    return parameters;
  }
}
