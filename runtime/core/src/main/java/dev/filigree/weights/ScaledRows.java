package dev.filigree.weights;

import dev.filigree.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Weights whose rows are multiplied by numbers, in the form they have: integers keep their codes
 * and scale their scales, codebooks scale their centroids, floats are multiplied and become f32. So
 * a normalisation behind a compressed layer can go into its weights without unpacking them.
 */
public final class ScaledRows {
  private ScaledRows() {}

  /**
   * Scales rows.
   *
   * @param weights {@code [rows, columns]}
   * @param factors one for each row
   * @return weights of the same structure and, but for floats and for integers by group without
   *     structure, the same codes
   */
  public static Weights of(Weights weights, float[] factors) {
    int rows = weights.rows();
    int columns = weights.columns();
    return switch (weights) {
      case Dense dense -> Dense.of(rows, columns, scaled(dense, factors));
      case Quantized quantized ->
          new Quantized(
              rows,
              columns,
              quantized.rowStride(),
              quantized.columnStride(),
              integers(quantized.values(), factors));
      case Packed packed -> new Packed(rows, columns, integers(packed.values(), factors));
      case Codebook codebook -> new Codebook(rows, columns, codes(codebook.values(), factors));
      case Sparse24 sparse -> {
        long perRow = (long) sparse.groups() * Sparse24.KEPT;
        yield new Sparse24(
            rows, columns, sparse.mask(), values(sparse.values(), factors, row -> row * perRow));
      }
      case SparseCsr sparse ->
          new SparseCsr(
              rows,
              columns,
              sparse.mask(),
              sparse.rowOffsets(),
              // groups of integers may reach from one row into the next
              sparse.values() instanceof PackedIntegers
                  ? floats(sparse.values(), factors, sparse::rowOffset)
                  : values(sparse.values(), factors, sparse::rowOffset));
    };
  }

  /** Where the values of a row begin. */
  @FunctionalInterface
  private interface Begin {
    long of(int row);
  }

  private static float[] scaled(Weights weights, float[] factors) {
    float[] values = weights.unpack();
    int columns = weights.columns();
    for (int i = 0; i < values.length; i++) {
      values[i] *= factors[i / columns];
    }
    return values;
  }

  private static Values values(Values values, float[] factors, Begin begin) {
    return switch (values) {
      case FloatValues floats -> floats(floats, factors, begin);
      case IntegerValues integers -> integers(integers, factors);
      case PackedIntegers integers -> integers(integers, factors);
      case CodeValues codes -> codes(codes, factors);
    };
  }

  private static FloatValues floats(Values values, float[] factors, Begin begin) {
    float[] scaled = new float[Math.toIntExact(values.count())];
    for (int row = 0; row < factors.length; row++) {
      int from = (int) begin.of(row);
      int to = row + 1 == factors.length ? scaled.length : (int) begin.of(row + 1);
      values.decode(row, from, 1, to - from, scaled, from);
      for (int i = from; i < to; i++) {
        scaled[i] *= factors[row];
      }
    }
    return FloatValues.of(DType.F32, scaled);
  }

  private static IntegerValues integers(IntegerValues values, float[] factors) {
    int rows = factors.length;
    float[] scales = new float[rows];
    for (int row = 0; row < rows; row++) {
      scales[row] = values.scale(row) * factors[row];
    }
    MemorySegment zeroPoints = values.zeroPoints();
    if (zeroPoints.byteSize() == 1) {
      byte[] repeated = new byte[rows];
      Arrays.fill(repeated, zeroPoints.get(DType.BYTE, 0));
      zeroPoints = MemorySegment.ofArray(repeated);
    }
    return new IntegerValues(
        values.dtype(), values.codes(), MemorySegment.ofArray(scales), zeroPoints);
  }

  private static PackedIntegers integers(PackedIntegers values, float[] factors) {
    int groups = values.groupsPerRow();
    boolean one = values.isOneScale();
    float[] scales = new float[Math.multiplyExact(factors.length, groups)];
    byte[] zeroPoints = new byte[values.zeroPoints().byteSize() == 0 ? 0 : scales.length];
    for (int i = 0; i < scales.length; i++) {
      long stored = one ? 0 : i;
      double scale =
          values.scaleType().readDouble(values.scales(), stored * values.scaleType().bytes());
      scales[i] = (float) (scale * factors[i / groups]);
      if (zeroPoints.length > 0) {
        zeroPoints[i] = values.zeroPoints().get(DType.BYTE, stored);
      }
    }
    return new PackedIntegers(
        values.bits(),
        values.perRow(),
        values.group(),
        values.words(),
        DType.F32,
        MemorySegment.ofArray(scales),
        MemorySegment.ofArray(zeroPoints),
        values.groupOf());
  }

  private static CodeValues codes(CodeValues values, float[] factors) {
    int size = values.size();
    float[] centroids = new float[Math.multiplyExact(factors.length, size)];
    for (int row = 0; row < factors.length; row++) {
      for (int code = 0; code < size; code++) {
        centroids[row * size + code] = values.centroid(row, code) * factors[row];
      }
    }
    // one row alone has one codebook however it is told
    return new CodeValues(
        values.bits(),
        values.count(),
        values.codes(),
        MemorySegment.ofArray(centroids),
        factors.length == 1 ? CodeValues.ALL : 1);
  }
}
