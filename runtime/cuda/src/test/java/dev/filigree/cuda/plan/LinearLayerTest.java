package dev.filigree.cuda.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.Codebook;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Packed;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Quantized;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** Which layers share measurements: those that kernels cannot tell apart. */
class LinearLayerTest {
  private static final int ROWS = 70;
  private static final int COLUMNS = 128;

  private static LayerKind kind(Weights weights) {
    return new LinearLayer("layer", weights, 3, true).kind();
  }

  private static Codebook codes(int books, int rowsPerBook, float centroid) {
    float[] centroids = new float[books * 256];
    centroids[0] = centroid;
    return new Codebook(
        ROWS, COLUMNS, CodeValues.of(8, new byte[ROWS * COLUMNS], centroids, rowsPerBook));
  }

  private static Packed integers(int[] groupOf) {
    return new Packed(
        ROWS,
        COLUMNS,
        new PackedIntegers(
            4,
            COLUMNS,
            32,
            MemorySegment.ofArray(new int[ROWS * PackedIntegers.wordsPerRow(COLUMNS, 4)]),
            DType.F32,
            MemorySegment.ofArray(new float[ROWS * 4]),
            PackedIntegers.NONE,
            groupOf == null ? PackedIntegers.NONE : MemorySegment.ofArray(groupOf)));
  }

  private static Quantized bytes(int zeroPoint) {
    return new Quantized(
        ROWS,
        COLUMNS,
        new IntegerValues(
            DType.I8,
            MemorySegment.ofArray(new byte[ROWS * COLUMNS]),
            MemorySegment.ofArray(new float[] {1}),
            MemorySegment.ofArray(new byte[] {(byte) zeroPoint})));
  }

  @Test
  void theValuesOfWeightsDoNotMatter() {
    assertEquals(kind(codes(1, CodeValues.ALL, 1)), kind(codes(1, CodeValues.ALL, 2)));
    assertEquals(kind(bytes(0)), kind(bytes(0)));
  }

  @Test
  void oneCodebookForAllIsReadOtherwiseThanOneForEachRow() {
    assertNotEquals(kind(codes(1, CodeValues.ALL, 1)), kind(codes(ROWS, 1, 1)));
    // kernels see a codebook for each row in both
    assertEquals(kind(codes(ROWS / 2, 2, 1)), kind(codes(ROWS, 1, 1)));
  }

  @Test
  void groupsInAnotherOrderHaveTheirInputsGathered() {
    int[] ordered = new int[COLUMNS];
    int[] uneven = new int[COLUMNS];
    for (int column = 0; column < COLUMNS; column++) {
      ordered[column] = column % 4;
      uneven[column] = column < 97 ? column % 4 : 0;
    }
    assertNotEquals(kind(integers(null)), kind(integers(ordered)));
    assertNotEquals(kind(integers(ordered)), kind(integers(uneven)));
  }

  @Test
  void bytesThatInt8KernelsDoNotTakeHaveFewerWays() {
    assertNotEquals(kind(bytes(0)), kind(bytes(-100)));
  }
}
