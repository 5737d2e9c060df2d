package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.COUNT;
import static dev.filigree.kernels.vector.Lanes.F;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Turns encoded weights of a tile, four outputs beside each other, into floats. */
final class Decoding {
  private static final int OUTPUTS = DenseTiles.OUTPUTS;

  /**
   * As many bytes as a vector has floats; the narrowest species, of 64 bits, where that is fewer
   * than 8.
   */
  private static final VectorSpecies<Byte> B =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, COUNT * Byte.SIZE)));

  /** Codes of a codebook that one permutation of a vector looks up. */
  private static final int LOOK_UP = COUNT;

  /** Lanes of a pattern: a vector, which four rows always divide. */
  private static final int PATTERN = Math.max(COUNT, OUTPUTS);

  private Decoding() {}

  /** Values of each tile's four rows, repeated over a vector: {@code [tiles][lanes]}. */
  static float[] patterns(float[] rows, int tiles) {
    float[] patterns = new float[tiles * PATTERN];
    for (int i = 0; i < patterns.length; i++) {
      int row = i / PATTERN * OUTPUTS + i % OUTPUTS;
      patterns[i] = row < rows.length ? rows[row] : 0;
    }
    return patterns;
  }

  /**
   * Decodes integers: {@code (code - zeroPoint) * scale} of the output's row, rounded once, so that
   * the code of the zero point is 0 exactly.
   *
   * @param from first code
   * @param count a multiple of 4
   * @param scales from {@link #patterns}
   * @param zeroPoints from {@link #patterns}
   */
  static void integers(
      byte[] codes,
      int from,
      int count,
      boolean signed,
      float[] scales,
      float[] zeroPoints,
      int tile,
      float[] into,
      int at) {
    int i = 0;
    int pattern = tile * PATTERN;
    if (COUNT >= 8) {
      FloatVector scale = FloatVector.fromArray(F, scales, pattern);
      FloatVector zeroPoint = FloatVector.fromArray(F, zeroPoints, pattern);
      VectorOperators.Conversion<Byte, Integer> widen =
          signed ? VectorOperators.B2I : VectorOperators.ZERO_EXTEND_B2I;
      for (; i + COUNT <= count; i += COUNT) {
        IntVector wide =
            (IntVector) ByteVector.fromArray(B, codes, from + i).convertShape(widen, Lanes.I, 0);
        ((FloatVector) wide.convertShape(VectorOperators.I2F, F, 0))
            .sub(zeroPoint)
            .mul(scale)
            .intoArray(into, at + i);
      }
    }
    int mask = signed ? -1 : 0xff;
    for (; i < count; i++) {
      int r = pattern + i % OUTPUTS;
      into[at + i] = ((codes[from + i] & mask) - zeroPoints[r]) * scales[r];
    }
  }

  /**
   * Looks codes up.
   *
   * @param from first code
   * @param count a multiple of 4
   * @param book position of the tile's codebook in centroids
   * @param bookStep from the codebook of one row to that of the next, 0 if they share one
   */
  static void codes(
      byte[] codes,
      int from,
      int count,
      float[] centroids,
      int book,
      int bookStep,
      float[] into,
      int at) {
    int size = bookStep == 0 ? centroids.length : bookStep;
    int i = 0;
    if (COUNT == 16 && size == LOOK_UP) {
      i =
          bookStep == 0
              ? sharedCodes(codes, from, count, centroids, book, into, at)
              : rowCodes(codes, from, count, centroids, book, into, at);
    }
    for (; i < count; i++) {
      into[at + i] = centroids[book + i % OUTPUTS * bookStep + (codes[from + i] & 0xff)];
    }
  }

  /**
   * Sixteen centroids fill a vector: a look-up is a permutation of it, done on integers to save
   * conversions.
   */
  private static int sharedCodes(
      byte[] codes, int from, int count, float[] centroids, int book, float[] into, int at) {
    IntVector table = FloatVector.fromArray(F, centroids, book).reinterpretAsInts();
    int i = 0;
    for (; i + COUNT <= count; i += COUNT) {
      IntVector index =
          (IntVector)
              ByteVector.fromArray(B, codes, from + i)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, Lanes.I, 0);
      index.selectFrom(table).reinterpretAsFloats().intoArray(into, at + i);
    }
    return i;
  }

  /**
   * Four rows with a codebook each: four permutations, of which each lane takes that of its row.
   */
  private static int rowCodes(
      byte[] codes, int from, int count, float[] centroids, int book, float[] into, int at) {
    IntVector table0 = FloatVector.fromArray(F, centroids, book).reinterpretAsInts();
    IntVector table1 = FloatVector.fromArray(F, centroids, book + LOOK_UP).reinterpretAsInts();
    IntVector table2 = FloatVector.fromArray(F, centroids, book + 2 * LOOK_UP).reinterpretAsInts();
    IntVector table3 = FloatVector.fromArray(F, centroids, book + 3 * LOOK_UP).reinterpretAsInts();
    VectorMask<Integer> row1 = VectorMask.fromLong(Lanes.I, 0x2222);
    VectorMask<Integer> row2 = VectorMask.fromLong(Lanes.I, 0x4444);
    VectorMask<Integer> row3 = VectorMask.fromLong(Lanes.I, 0x8888);
    int i = 0;
    for (; i + COUNT <= count; i += COUNT) {
      IntVector index =
          (IntVector)
              ByteVector.fromArray(B, codes, from + i)
                  .convertShape(VectorOperators.ZERO_EXTEND_B2I, Lanes.I, 0);
      index
          .selectFrom(table0)
          .blend(index.selectFrom(table1), row1)
          .blend(index.selectFrom(table2), row2)
          .blend(index.selectFrom(table3), row3)
          .reinterpretAsFloats()
          .intoArray(into, at + i);
    }
    return i;
  }
}
