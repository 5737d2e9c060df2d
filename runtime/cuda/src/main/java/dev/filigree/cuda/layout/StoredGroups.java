package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.kernels.cuda.WeightsForm.Structure;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;

/**
 * Integers of at most four bits with a scale and a zero point for each group along K. A group's
 * scale is divided by a power of two, the row's scale, so that f16 holds it whatever its range.
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
  /** Bits of a code in a kernel. */
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
    return structure == Structure.DENSE
        ? GroupOrder.of(values, perStep(structure))
        : Optional.empty();
  }

  /** Whether kernels can take them: 2:4 only by neighbouring groups of whole steps. */
  static boolean fit(PackedIntegers values, Structure structure) {
    boolean neighbours =
        isOneGroup(values)
            || GroupOrder.areNeighbours(values) && values.group() % perStep(structure) == 0;
    return values.bits() <= BITS && (structure == Structure.DENSE || neighbours);
  }

  /** What keeps kernels from taking them; empty if nothing does. */
  static Optional<String> obstacle(PackedIntegers values, Structure structure) {
    if (fit(values, structure) || StoredIntegers.fit(values)) {
      return Optional.empty();
    }
    if (values.bits() > BITS) {
      return Optional.of(
          values.bits() + "-bit integers by group, where kernels take up to " + BITS + " bits");
    }
    return Optional.of(
        !GroupOrder.areNeighbours(values)
            ? "groups in the order of activations, where 2:4 kernels take that of the columns"
            : "groups of "
                + values.group()
                + " stored values, where 2:4 kernels take multiples of "
                + perStep(structure));
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
    return order == null ? weights.columns() : order.columns().length;
  }

  @Override
  public MemorySegment order(Arena arena) {
    return order == null ? arena.allocate(0) : arena.allocateFrom(DType.INT, order.columns());
  }

  @Override
  public void row(int row, int[] into) {
    int count = order == null ? StoredRows.count(weights) : columns();
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
  public int stepsPerGroup(int steps) {
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
