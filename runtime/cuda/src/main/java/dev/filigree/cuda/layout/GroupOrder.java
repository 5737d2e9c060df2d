package dev.filigree.cuda.layout;

import dev.filigree.DType;
import dev.filigree.weights.PackedIntegers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The order of columns in which integers lie by groups of whole steps, as kernels take them: groups
 * one behind the other whichever columns they have, each filled up to a number of steps. The inputs
 * are put in the same order before they are multiplied.
 *
 * <pre>
 *   stored     column 0: group 1 | 1: group 0 | 2: group 1 | ...              as a file has them, GPTQ's in the
 *                                                                             order of activations
 *   laid out   | columns of group 0, none, ... | columns of group 1, none, ... |
 *               a number of steps, the same for each
 * </pre>
 *
 * <p>What 2:4 keeps of four columns stays together, as a pair of stored columns. A pair of two
 * groups has a place in each, once without its second column and once without its first.
 *
 * @param columns which stored column lies at each place; {@link #NONE} where a group is filled up
 * @param groups the first stored column of each laid-out group, whose scale serves it
 * @param stepsPerGroup steps of each
 */
record GroupOrder(int[] columns, int[] groups, int stepsPerGroup) {
  /** No column. */
  static final int NONE = -1;

  /** Bytes of a group's scale and zero point. */
  private static final double GROUP_BYTES = 4;

  /**
   * The order for integers; empty where they lie so already.
   *
   * @param perStep stored columns of a step
   * @param together neighbours that stay together: 1, or 2 of 2:4
   * @param weightBytes of a stored integer on the device
   */
  static Optional<GroupOrder> of(
      PackedIntegers values, int perStep, int together, double weightBytes) {
    boolean neighbours = areNeighbours(values);
    if (StoredGroups.isOneGroup(values) || neighbours && values.group() % perStep == 0) {
      return Optional.empty();
    }
    List<int[]> members = members(values, together);
    int longest = members.stream().mapToInt(each -> each.length).max().orElse(1);
    int best = 1;
    double leastBytes = Double.POSITIVE_INFINITY;
    for (int steps = 1; steps <= Math.ceilDiv(longest, perStep); steps++) {
      double bytes = bytes(members, steps * perStep, weightBytes);
      if (bytes <= leastBytes) {
        leastBytes = bytes;
        best = steps;
      }
    }
    return Optional.of(laid(members, best, best * perStep));
  }

  /** Whether the values of a group follow each other, as without an order of groups. */
  static boolean areNeighbours(PackedIntegers values) {
    boolean named = values.groupOf().byteSize() != 0;
    for (int column = 0; named && column < values.perRow(); column++) {
      if (group(values, column) != column / values.group()) {
        return false;
      }
    }
    return true;
  }

  private static int group(PackedIntegers values, int column) {
    return values.groupOf().byteSize() == 0
        ? column / values.group()
        : values.groupOf().get(DType.INT, (long) column * Integer.BYTES);
  }

  /** The columns of each group that has any. */
  private static List<int[]> members(PackedIntegers values, int together) {
    List<List<Integer>> members = new ArrayList<>();
    for (int group = 0; group < values.groupsPerRow(); group++) {
      members.add(new ArrayList<>());
    }
    for (int first = 0; first < values.perRow(); first += together) {
      int after = Math.min(first + together, values.perRow());
      int[] groups =
          IntStream.range(first, after).map(column -> group(values, column)).distinct().toArray();
      for (int group : groups) {
        for (int column = first; column < after; column++) {
          members.get(group).add(group(values, column) == group ? column : NONE);
        }
      }
    }
    return members.stream()
        .filter(each -> !each.isEmpty())
        .map(each -> each.stream().mapToInt(column -> column).toArray())
        .toList();
  }

  /** Bytes of a row whose groups take so many columns. */
  private static double bytes(List<int[]> members, int span, double weightBytes) {
    long groups = members.stream().mapToLong(each -> Math.ceilDiv(each.length, span)).sum();
    long room = Math.ceilDiv(members.getLast().length, span) * (long) span;
    // K ends with the last column
    long columns = groups * span - (room - members.getLast().length);
    return columns * weightBytes + groups * GROUP_BYTES;
  }

  private static GroupOrder laid(List<int[]> members, int steps, int span) {
    List<int[]> pieces = new ArrayList<>();
    for (int[] group : members) {
      for (int from = 0; from < group.length; from += span) {
        pieces.add(Arrays.copyOfRange(group, from, Math.min(group.length, from + span)));
      }
    }
    int[] columns = new int[(pieces.size() - 1) * span + pieces.getLast().length];
    Arrays.fill(columns, NONE);
    for (int piece = 0; piece < pieces.size(); piece++) {
      System.arraycopy(pieces.get(piece), 0, columns, piece * span, pieces.get(piece).length);
    }
    int[] groups = pieces.stream().mapToInt(GroupOrder::firstOf).toArray();
    return new GroupOrder(columns, groups, steps);
  }

  private static int firstOf(int[] piece) {
    return Arrays.stream(piece).filter(column -> column != NONE).findFirst().orElseThrow();
  }
}
