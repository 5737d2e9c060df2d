package dev.filigree.cuda.layout;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.DType;
import dev.filigree.weights.PackedIntegers;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Columns in the order of their groups. */
class GroupOrderTest {
  private static final int STEP = 32;

  private static PackedIntegers integers(int columns, int group, int[] groupOf) {
    return new PackedIntegers(
        4,
        columns,
        group,
        MemorySegment.ofArray(new int[PackedIntegers.wordsPerRow(columns, 4)]),
        DType.F32,
        MemorySegment.ofArray(new float[Math.ceilDiv(columns, group)]),
        PackedIntegers.NONE,
        groupOf == null ? PackedIntegers.NONE : MemorySegment.ofArray(groupOf));
  }

  private static GroupOrder order(int columns, int group, int[] groupOf) {
    return GroupOrder.of(integers(columns, group, groupOf), STEP, 1, 0.5).orElseThrow();
  }

  @Test
  void whatKernelsTakeAsItIsHasNone() {
    assertEquals(Optional.empty(), GroupOrder.of(integers(128, 32, null), STEP, 1, 0.5));
    assertEquals(Optional.empty(), GroupOrder.of(integers(100, 100, null), STEP, 1, 0.5));
    // GPTQ writes groups out even where they follow each other
    int[] following = IntStream.range(0, 128).map(column -> column / 64).toArray();
    assertEquals(Optional.empty(), GroupOrder.of(integers(128, 64, following), STEP, 1, 0.5));
  }

  @Test
  void groupsInTheOrderOfActivationsNeedNoRoomBetweenThem() {
    int columns = 300;
    int group = 128;
    // as GPTQ deals them out: by rank, 37 and 300 have no common factor
    int[] groupOf = new int[columns];
    for (int rank = 0; rank < columns; rank++) {
      groupOf[rank * 37 % columns] = rank / group;
    }
    GroupOrder order = order(columns, group, groupOf);
    assertEquals(4, order.stepsPerGroup());
    assertEquals(columns, order.columns().length);
    assertArrayEquals(
        IntStream.range(0, columns).toArray(), Arrays.stream(order.columns()).sorted().toArray());
    for (int at = 0; at < columns; at++) {
      assertEquals(at / group, groupOf[order.columns()[at]], "place " + at);
    }
  }

  @Test
  void groupsOfNoWholeStepsAreFilledUp() {
    GroupOrder order = order(60, 24, null);
    assertEquals(1, order.stepsPerGroup());
    assertArrayEquals(new int[] {0, 24, 48}, order.groups());
    // the last one ends where K does
    assertEquals(2 * STEP + 12, order.columns().length);
    assertEquals(23, order.columns()[23]);
    assertEquals(GroupOrder.NONE, order.columns()[24]);
    assertEquals(24, order.columns()[STEP]);
    assertEquals(59, order.columns()[2 * STEP + 11]);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void everyColumnHasOnePlaceAmongThoseOfItsGroup(int seed) {
    Random random = new Random(seed);
    int columns = 1 + random.nextInt(500);
    int group = 1 + random.nextInt(columns);
    int groups = Math.ceilDiv(columns, group);
    int[] groupOf = random.ints(columns, 0, groups).toArray();
    Optional<GroupOrder> some = GroupOrder.of(integers(columns, group, groupOf), STEP, 1, 0.5);
    if (groups == 1) {
      assertTrue(some.isEmpty());
      return;
    }
    GroupOrder order = some.orElseThrow();
    int span = order.stepsPerGroup() * STEP;
    boolean[] seen = new boolean[columns];
    for (int at = 0; at < order.columns().length; at++) {
      int column = order.columns()[at];
      if (column != GroupOrder.NONE) {
        assertTrue(!seen[column], "seed " + seed + ", column " + column + " comes twice");
        seen[column] = true;
        assertEquals(groupOf[order.groups()[at / span]], groupOf[column], "seed " + seed);
      }
    }
    for (boolean each : seen) {
      assertTrue(each, "seed " + seed);
    }
  }

  @Test
  void pairsOfTwoGroupsHaveAPlaceInEach() {
    PackedIntegers values = integers(10, 5, null);
    GroupOrder order = GroupOrder.of(values, 8, 2, 0.5).orElseThrow();
    int none = GroupOrder.NONE;
    assertArrayEquals(
        new int[] {0, 1, 2, 3, 4, none, none, none, none, 5, 6, 7, 8, 9}, order.columns());
    assertArrayEquals(new int[] {0, 5}, order.groups());
    assertEquals(1, order.stepsPerGroup());
  }

  @Test
  void pairsOfOneGroupStayTogether() {
    int[] groupOf = {1, 1, 0, 0, 0, 0, 1, 1};
    GroupOrder order = GroupOrder.of(integers(8, 4, groupOf), 4, 2, 0.5).orElseThrow();
    assertArrayEquals(new int[] {2, 3, 4, 5, 0, 1, 6, 7}, order.columns());
  }
}
