package dev.filigree.weights;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.filigree.DType;
import dev.filigree.testing.Samples;
import dev.filigree.testing.Seeded;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class Pattern24Test {
  @Seeded(30)
  void weightsPrunedAlongTheInputsAreTold(Samples samples) {
    int rows = samples.between(4, 12);
    int columns = samples.between(4, 40);
    Mask keep = samples.mask24(rows, columns);
    float[] pruned = pruned(samples.normal(rows * columns), columns, keep, false);
    assertEquals(Optional.of(Pattern24.Axis.IN), Pattern24.axis(Dense.of(rows, columns, pruned)));
  }

  @Seeded(30)
  void weightsPrunedAlongTheWrongAxisAreTold(Samples samples) {
    int rows = 4 * samples.between(2, 5);
    int columns = samples.between(8, 20);
    Mask full = Mask.of(columns, rows, (column, row) -> row % 4 == 0 || row % 4 == 1 + column % 3);
    float[] pruned = pruned(samples.normal(rows * columns), columns, full, true);
    assertEquals(Optional.of(Pattern24.Axis.OUT), Pattern24.axis(Dense.of(rows, columns, pruned)));
  }

  @Test
  void denseWeightsHaveNoPattern() {
    Dense dense = Dense.of(4, 4, new Samples(1).normal(16));
    assertEquals(Optional.empty(), Pattern24.axis(dense));
    assertEquals(1, Pattern24.density(dense));
  }

  @Test
  void anAxisShorterThanAGroupProvesNothing() {
    assertEquals(Optional.empty(), Pattern24.axis(Dense.of(2, 8, new Samples(1).normal(16))));
    assertEquals(Optional.empty(), Pattern24.axis(Dense.of(8, 2, new Samples(2).normal(16))));
  }

  @Test
  void packed24WeightsFollowTheInputsWhateverTheirValues() {
    Sparse24 packed =
        Sparse24.pack(
            Dense.of(1, 8, new float[] {1, 2, 3, 4, 5, 6, 7, 8}),
            Mask.of(1, 8, (row, column) -> column == 3),
            (kept, rows, perRow) -> FloatValues.of(DType.F32, kept));
    assertEquals(Optional.of(Pattern24.Axis.IN), Pattern24.axis(packed));
    assertEquals(0.125, Pattern24.density(packed));
    assertEquals(0.5, packed.density());
    // 4 floats and one byte of mask for 8 weights
    assertEquals(17, packed.bytes());
    assertEquals(17, packed.bitsPerWeight());
  }

  @Test
  void anEmptyMatrixHasNoDensityToDivideBy() {
    assertEquals(0, Pattern24.density(Dense.of(0, 4, new float[0])));
  }

  private static float[] pruned(float[] values, int columns, Mask keep, boolean transposed) {
    for (int i = 0; i < values.length; i++) {
      int row = i / columns;
      int column = i % columns;
      boolean kept = transposed ? keep.kept(column, row) : keep.kept(row, column);
      values[i] = kept ? values[i] : 0;
    }
    return values;
  }
}
