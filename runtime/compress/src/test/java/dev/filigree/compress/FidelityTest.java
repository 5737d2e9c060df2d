package dev.filigree.compress;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.filigree.InputException;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.List;
import org.junit.jupiter.api.Test;

class FidelityTest {
  private static float[][] vectors(Samples samples, int count) {
    float[][] vectors = new float[count][];
    for (int i = 0; i < count; i++) {
      vectors[i] = samples.normal(8);
    }
    return vectors;
  }

  @Seeded(20)
  void aModelIsAllItselfWhateverItsScale(Samples samples) {
    float[][] a = vectors(samples, samples.between(3, 30));
    float[][] b = new float[a.length][8];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < 8; j++) {
        b[i][j] = 4 * a[i][j];
      }
    }
    Fidelity same = Fidelity.of(a, b);
    assertEquals(1, same.meanCosine(), 1e-12);
    assertEquals(1, same.minCosine(), 1e-12);
    assertEquals(1, same.spearman(), 1e-9);
    assertEquals(a.length > 11 ? 1 : Double.NaN, same.topOverlap(), "of ten others all stay");
  }

  @Test
  void theWorstSampleIsFound() {
    float[][] a = {{1, 0}, {1, 0}, {0, 1}, {3, 4}};
    float[][] b = {{1, 0}, {0, 1}, {0, 2}, {4, 3}};
    Fidelity fidelity = Fidelity.of(a, b);
    assertEquals((1 + 0 + 1 + 0.96) / 4, fidelity.meanCosine(), 1e-9);
    assertEquals(0, fidelity.minCosine());
  }

  @Test
  void neighboursThatMoveAwayAreCounted() {
    // twelve directions on a circle: reflecting the order keeps neighbours, moving one does not
    float[][] a = new float[13][];
    for (int i = 0; i < 13; i++) {
      a[i] = new float[] {(float) Math.cos(i * 0.2), (float) Math.sin(i * 0.2)};
    }
    float[][] b = a.clone();
    b[0] = new float[] {-1, -0.1f};
    double overlap = Fidelity.of(a, b).topOverlap();
    assertTrue(overlap < 1 && overlap > 0.8, "overlap " + overlap);
  }

  @Test
  void ranksDecideNotValuesAndTiesShareTheirs() {
    assertEquals(1, Fidelity.spearman(new double[] {1, 2, 3}, new double[] {1, 20, 21}), 1e-12);
    assertEquals(-1, Fidelity.spearman(new double[] {1, 2, 3}, new double[] {3, 2, 1}), 1e-12);
    // ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3
    assertEquals(
        4.5 / Math.sqrt(4.5 * 5),
        Fidelity.spearman(new double[] {1, 2, 2, 5}, new double[] {1, 2, 3, 4}),
        1e-12);
  }

  @Test
  void whatCannotBeComparedIsRefused() {
    assertThrows(InputException.class, () -> Fidelity.of(new float[0][], new float[0][]));
    assertThrows(InputException.class, () -> Fidelity.of(new float[2][1], new float[1][1]));
  }

  @Test
  void theFrontHoldsWhatNothingBeats() {
    List<ParetoFront.Option> options =
        List.of(
            new ParetoFront.Option(10, 1.0),
            new ParetoFront.Option(5, 0.9),
            new ParetoFront.Option(6, 0.9),
            new ParetoFront.Option(5, 0.8),
            new ParetoFront.Option(5, 0.9),
            new ParetoFront.Option(Double.NaN, 1),
            new ParetoFront.Option(1, 0.1));
    assertArrayEquals(
        new boolean[] {true, true, false, false, true, false, true}, ParetoFront.of(options));
  }
}
