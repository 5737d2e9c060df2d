package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.InputException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import dev.filigree.weights.Mask;
import java.util.List;
import org.junit.jupiter.api.Test;

class StructureTest {
  private static String row(Mask mask, int row) {
    StringBuilder text = new StringBuilder();
    for (int column = 0; column < mask.columns(); column++) {
      text.append(mask.kept(row, column) ? '1' : '0');
    }
    return text.toString();
  }

  private static String twoOfFour(float... scores) {
    return row(Structure.TWO_OF_FOUR.choose(scores, 1, scores.length), 0);
  }

  @Test
  void theTwoLargestOfFourStay() {
    assertEquals("0101", twoOfFour(1, 4, 2, 3));
    assertEquals("1010", twoOfFour(9, 0, 8, 7));
    assertEquals("10010110", twoOfFour(5, 1, 2, 3, 0, 7, 7.5f, 6));
  }

  @Test
  void ofEqualScoresTheLowestIndexStays() {
    assertEquals("1100", twoOfFour(0, 0, 0, 0));
    assertEquals("1100", twoOfFour(3, 3, 3, 3));
    assertEquals("0110", twoOfFour(1, 2, 2, 2));
    assertEquals("1001", twoOfFour(1, 1, 1, 2));
    assertEquals("1010", twoOfFour(2, 1, 2, 1));
  }

  @Test
  void aLastGroupThatIsNotFullKeepsItsTwoLargest() {
    assertEquals("00111", twoOfFour(1, 2, 3, 4, 0));
    assertEquals("0011011", twoOfFour(1, 2, 3, 4, 1, 5, 6));
    assertEquals("11", twoOfFour(1, 2));
  }

  @Seeded(100)
  void everyGroupKeepsTwoAndNoneThatIsLessThanOneThatGoes(Samples samples) {
    int rows = samples.between(1, 6);
    int columns = 4 * samples.between(1, 10);
    float[] scores = samples.normal(rows * columns);
    Mask mask = Structure.TWO_OF_FOUR.choose(scores, rows, columns);
    for (int start = 0; start < scores.length; start += 4) {
      int kept = 0;
      float least = Float.POSITIVE_INFINITY;
      float most = Float.NEGATIVE_INFINITY;
      for (int i = start; i < start + 4; i++) {
        if (mask.kept(i / columns, i % columns)) {
          kept++;
          least = Math.min(least, scores[i]);
        } else {
          most = Math.max(most, scores[i]);
        }
      }
      assertEquals(2, kept);
      assertTrue(least >= most);
    }
  }

  @Seeded(200)
  void anUnstructuredLayerLosesTheNearestNumberToTheFractionAskedFor(Samples samples) {
    int rows = samples.between(1, 9);
    int columns = samples.between(1, 40);
    int percent = samples.between(1, 99);
    float[] scores = new float[rows * columns];
    for (int i = 0; i < scores.length; i++) {
      // few values, so that the threshold falls among equals
      scores[i] = samples.between(0, 5);
    }
    Mask mask = new Structure.Unstructured(percent / 100.0).choose(scores, rows, columns);
    assertEquals(scores.length * percent / 100.0, scores.length - mask.kept(), 0.5 + 1e-9);
    float least = Float.POSITIVE_INFINITY;
    float most = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < scores.length; i++) {
      if (mask.kept(i / columns, i % columns)) {
        least = Math.min(least, scores[i]);
      } else {
        most = Math.max(most, scores[i]);
      }
    }
    assertTrue(least >= most, "keeps " + least + " and prunes " + most);
    boolean goneBefore = false;
    for (int i = 0; i < scores.length; i++) {
      if (scores[i] == most) {
        boolean kept = mask.kept(i / columns, i % columns);
        assertFalse(kept && goneBefore, "of equal scores a later one stays");
        goneBefore |= !kept;
      }
    }
  }

  @Test
  void aFractionIsNotLostToBinaryRounding() {
    // 0.29 * 100 is 28.999999999999996
    assertEquals(71, new Structure.Unstructured(0.29).choose(new float[100], 10, 10).kept());
  }

  @Test
  void structuresHaveNamesAndLimits() {
    assertEquals(Structure.TWO_OF_FOUR, Structure.of("2:4", null, null));
    assertEquals(Structure.TWO_OF_FOUR, Structure.of("2:4", 0.5, null));
    assertEquals(new Structure.Unstructured(0.8), Structure.of("unstructured", 0.8, null));
    assertRefused("2:4", 0.7, "mask_structure 2:4 keeps 2 of 4, a sparsity of 0.500 and not 0.7");
    assertEquals(new Structure.Groups(1, 4), Structure.of("1:4", 0.75, null));
    assertEquals(new Structure.Groups(2, 4, 8), Structure.of("2:4 shared by 8", null, null));
    assertEquals("2:4 shared by 8", new Structure.Groups(2, 4, 8).label());
    assertThrows(InputException.class, () -> Structure.of("2:4 shared by 3", null, null));
    assertEquals(new Structure.Block(4, 8, 0.5), Structure.of("block 4x8", 0.5, null));
    assertEquals(
        new Structure.Unstructured(0.8, Structure.Scope.ROW),
        Structure.of("unstructured", 0.8, Structure.Scope.ROW));
    assertRefused("4:4", null, "mask_structure 4:4 keeps 4 of every 4 weights");
    assertRefused("block 4x8", null, "mask_structure block 4x8 needs a sparsity");
    assertRefused("blocks", null, "mask_structure 'blocks' is not supported");
    assertRefused("unstructured", null, "mask_structure unstructured needs a sparsity");
    for (double nothing : new double[] {0, 1, -0.5, 2, Double.NaN}) {
      assertRefused(
          "unstructured", nothing, "a sparsity of " + nothing + " prunes nothing or everything");
    }
  }

  @Seeded(50)
  void anyGroupKeepsItsBestAndNoMore(Samples samples) {
    int of = samples.between(2, 16);
    int keep = samples.between(1, of - 1);
    int rows = samples.between(1, 4);
    int columns = samples.between(1, 40);
    float[] scores = samples.normal(rows * columns);
    Mask mask = new Structure.Groups(keep, of).choose(scores, rows, columns);
    for (int row = 0; row < rows; row++) {
      for (int first = 0; first < columns; first += of) {
        int kept = 0;
        float worstKept = Float.POSITIVE_INFINITY;
        float bestGone = Float.NEGATIVE_INFINITY;
        int end = Math.min(columns, first + of);
        for (int c = first; c < end; c++) {
          float score = scores[row * columns + c];
          if (mask.kept(row, c)) {
            kept++;
            worstKept = Math.min(worstKept, score);
          } else {
            bestGone = Math.max(bestGone, score);
          }
        }
        assertEquals(Math.min(keep, end - first), kept);
        assertTrue(worstKept >= bestGone);
      }
    }
  }

  @Seeded(50)
  void aFractionOfARowIsTakenFromEachRow(Samples samples) {
    int rows = samples.between(1, 5);
    int columns = samples.between(1, 40);
    Structure half = new Structure.Unstructured(0.5, Structure.Scope.ROW);
    Mask mask = half.choose(samples.normal(rows * columns), rows, columns);
    for (int row = 0; row < rows; row++) {
      assertEquals(columns - Math.round(columns * 0.5), mask.keptInRow(row));
    }
  }

  @Test
  void theBlockThatMattersLeastGoesAsAWhole() {
    float[] scores = {
      9, 9, 1, 1, 5,
      9, 9, 1, 1, 5,
      0, 3, 4, 4, 0,
    };
    // blocks by mean square: 81, 1, 25 / 4.5, 16, 0
    Mask mask = new Structure.Block(2, 2, 1 / 3.0).choose(scores, 3, 5);
    for (int row = 0; row < 3; row++) {
      for (int column = 0; column < 5; column++) {
        boolean gone = row < 2 && (column == 2 || column == 3) || row == 2 && column == 4;
        assertEquals(!gone, mask.kept(row, column), row + ", " + column);
      }
    }
  }

  private static void assertRefused(String label, Double sparsity, String problem) {
    InputException refused =
        assertThrows(InputException.class, () -> Structure.of(label, sparsity, null));
    assertEquals(problem, refused.problem());
  }

  /** Neighbours keep the same weights: those that all of them together would miss most. */
  @Seeded(30)
  void neighboursShareTheirMask(Samples samples) {
    int shared = samples.oneOf(List.of(2, 4, 8));
    int rows = samples.between(1, 20);
    int columns = samples.between(4, 30);
    float[] scores = samples.normal(rows * columns);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = Math.abs(scores[i]);
    }
    Mask mask = new Structure.Groups(2, 4, shared).choose(scores, rows, columns);
    for (int row = 0; row < rows; row++) {
      int first = row / shared * shared;
      for (int column = 0; column < columns; column++) {
        assertEquals(mask.kept(first, column), mask.kept(row, column));
        int start = column / 4 * 4;
        int better = 0;
        for (int other = start; other < Math.min(columns, start + 4); other++) {
          double own = energy(scores, first, Math.min(rows, first + shared), columns, column);
          double others = energy(scores, first, Math.min(rows, first + shared), columns, other);
          better += others > own ? 1 : 0;
        }
        assertEquals(better < 2, mask.kept(row, column));
      }
    }
  }

  private static double energy(float[] scores, int from, int to, int columns, int column) {
    float energy = 0;
    for (int row = from; row < to; row++) {
      energy += scores[row * columns + column] * scores[row * columns + column];
    }
    return energy;
  }
}
