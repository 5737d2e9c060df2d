package dev.filigree.compress;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Values;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * How the values of a layer are written: as floats, as scaled integers, or as codes into a
 * codebook.
 */
public sealed interface Encoding {
  /**
   * Encodes the values of a matrix, or those of a sparse matrix that are kept.
   *
   * @param values {@code [rows, perRow]}, finite
   */
  Values encode(float[] values, int rows, int perRow);

  /**
   * Floats of a type.
   *
   * @param dtype f32, f16 or bf16
   */
  record Floats(DType dtype) implements Encoding {
    @Override
    public Values encode(float[] values, int rows, int perRow) {
      return FloatValues.of(dtype, values);
    }
  }

  /**
   * Symmetric 8-bit integers with a scale for each row. The scale maps the largest weight to 127.5
   * and codes are clamped to [-128, 127] and rounded to even, as compressed-tensors does ({@code
   * max|w| / ((q_max - q_min) / 2)}).
   */
  record Int8() implements Encoding {
    private static final float HALF_RANGE = 127.5f;

    @Override
    public Values encode(float[] values, int rows, int perRow) {
      byte[] codes = new byte[values.length];
      float[] scales = new float[rows];
      for (int row = 0; row < rows; row++) {
        float max = 0;
        for (int i = row * perRow; i < (row + 1) * perRow; i++) {
          max = Math.max(max, Math.abs(values[i]));
        }
        float scale = max / HALF_RANGE;
        // a row of zeros, or of weights next to nothing, keeps a scale that can be divided by
        scales[row] = scale == 0 ? Math.ulp(1f) : scale;
        for (int i = row * perRow; i < (row + 1) * perRow; i++) {
          codes[i] = (byte) Math.clamp(Math.rint(values[i] / scales[row]), -128, 127);
        }
      }
      return new IntegerValues(
          DType.I8,
          MemorySegment.ofArray(codes),
          MemorySegment.ofArray(scales),
          IntegerValues.SYMMETRIC);
    }
  }

  /**
   * Codes of a few bits into a codebook of centroids, found by exact k-means. Where a value is
   * exactly zero, one centroid is zero, so that zeros stay zeros.
   *
   * @param bits of a code: 1, 2 or 4
   * @param perRow whether every row has a codebook of its own
   */
  record Codes(int bits, boolean perRow) implements Encoding {
    @Override
    public Values encode(float[] values, int rows, int perRowCount) {
      int size = 1 << bits;
      int books = perRow ? rows : 1;
      int perBook = perRow ? perRowCount : values.length;
      byte[] codes = new byte[values.length];
      float[] centroids = new float[books * size];
      for (int book = 0; book < books; book++) {
        int from = book * perBook;
        float[] found = centroids(Arrays.copyOfRange(values, from, from + perBook), size);
        System.arraycopy(found, 0, centroids, book * size, found.length);
        for (int i = from; i < from + perBook; i++) {
          codes[i] = (byte) KMeans.nearest(found, values[i]);
        }
      }
      return CodeValues.of(bits, codes, centroids);
    }

    /** Centroids in ascending order; a zero among the values is kept exactly. */
    private static float[] centroids(float[] values, int size) {
      float[] others = new float[values.length];
      int count = 0;
      for (float value : values) {
        if (value != 0) {
          others[count++] = value;
        }
      }
      if (count == values.length) {
        return KMeans.exact(values, size).centroids();
      }
      float[] found = KMeans.exact(Arrays.copyOf(others, count), size - 1).centroids();
      float[] withZero = Arrays.copyOf(found, found.length + 1);
      Arrays.sort(withZero);
      return withZero;
    }
  }
}
