package dev.filigree.testing;

import dev.filigree.DType;
import dev.filigree.weights.CodeValues;
import dev.filigree.weights.FloatValues;
import dev.filigree.weights.IntegerValues;
import dev.filigree.weights.Mask;
import dev.filigree.weights.PackedIntegers;
import dev.filigree.weights.Sparse24;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * An encoding together with values that it holds exactly, so that what was packed must come back
 * bit by bit.
 *
 * @param name of the encoding
 * @param values {@code [rows, columns]}
 * @param encoder of any of these values, or of zero, in its row
 */
public record EncodedSamples(String name, float[] values, Sparse24.Encoder encoder) {
  /** The encodings whose scales and codebooks belong to all rows. */
  public static EncodedSamples shared(Samples samples, int rows, int columns) {
    return of(samples, rows, columns, false);
  }

  /** All encodings. */
  public static EncodedSamples any(Samples samples, int rows, int columns) {
    return of(samples, rows, columns, samples.chance(0.5));
  }

  private static EncodedSamples of(Samples samples, int rows, int columns, boolean perRow) {
    return switch (samples.between(0, 5)) {
      case 0 -> floats(samples, DType.F32, rows * columns);
      case 1 -> floats(samples, DType.F16, rows * columns);
      case 2 -> floats(samples, DType.BF16, rows * columns);
      case 3 -> integers(samples, rows, columns, perRow);
      case 4 -> packed(samples, rows, columns, perRow);
      default -> codes(samples, rows, columns, perRow);
    };
  }

  private static EncodedSamples floats(Samples samples, DType dtype, int count) {
    float[] values = samples.anyFloats(count);
    if (dtype != DType.F32) {
      MemorySegment codes = MemorySegment.ofArray(samples.bytes(2 * count));
      for (int i = 0; i < count; i++) {
        values[i] = (float) dtype.readDouble(codes, 2L * i);
      }
    }
    return new EncodedSamples(
        dtype.toString(), values, (kept, rows, perRow) -> FloatValues.of(dtype, kept));
  }

  /** Scales are powers of two, so that dividing by them is exact. */
  private static EncodedSamples integers(Samples samples, int rows, int columns, boolean perRow) {
    DType dtype = samples.oneOf(List.of(DType.I8, DType.U8));
    int sets = perRow ? rows : 1;
    float[] scales = new float[sets];
    for (int i = 0; i < sets; i++) {
      scales[i] = Math.scalb(1f, samples.between(-20, 5));
    }
    byte[] zeroPoints = samples.chance(0.5) ? samples.bytes(sets) : new byte[0];
    float[] values = new float[rows * columns];
    byte[] codes = samples.bytes(values.length);
    for (int i = 0; i < values.length; i++) {
      int set = perRow ? i / columns : 0;
      int zero = zeroPoints.length == 0 ? 0 : integer(dtype, zeroPoints[set]);
      values[i] = (integer(dtype, codes[i]) - zero) * scales[set];
    }
    Sparse24.Encoder encoder =
        (kept, ofRows, perKept) -> {
          byte[] encoded = new byte[kept.length];
          for (int i = 0; i < kept.length; i++) {
            int set = perRow ? i / perKept : 0;
            int zero = zeroPoints.length == 0 ? 0 : integer(dtype, zeroPoints[set]);
            encoded[i] = (byte) (kept[i] / scales[set] + zero);
          }
          return new IntegerValues(
              dtype,
              MemorySegment.ofArray(encoded),
              MemorySegment.ofArray(scales),
              MemorySegment.ofArray(zeroPoints));
        };
    return new EncodedSamples(dtype + (perRow ? " per row" : ""), values, encoder);
  }

  /** One scale a row, or for all, in every group, so that it does not matter where groups lie. */
  private static EncodedSamples packed(Samples samples, int rows, int columns, boolean perRow) {
    int bits = samples.between(PackedIntegers.LEAST_BITS, PackedIntegers.MOST_BITS);
    int half = 1 << bits - 1;
    DType scaleType = samples.oneOf(List.of(DType.F32, DType.BF16));
    float[] scales = new float[perRow ? rows : 1];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = Math.scalb(1f, samples.between(-20, 5));
    }
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = samples.between(-half, half - 1) * scales[perRow ? i / columns : 0];
    }
    int wanted = samples.between(1, columns);
    Sparse24.Encoder encoder =
        (kept, ofRows, perKept) -> {
          int stored = Math.max(1, perKept);
          int group = Math.min(wanted, stored);
          int groups = Math.ceilDiv(stored, group);
          float[] all = new float[kept.length / stored * groups];
          byte[] codes = new byte[kept.length];
          for (int i = 0; i < all.length; i++) {
            all[i] = scales[perRow ? i / groups : 0];
          }
          for (int i = 0; i < kept.length; i++) {
            codes[i] = (byte) (kept[i] / scales[perRow ? i / stored : 0]);
          }
          return PackedIntegers.of(
              bits, stored, group, codes, scaleType, perRow ? all : new float[] {scales[0]});
        };
    return new EncodedSamples("int" + bits + (perRow ? " per row" : ""), values, encoder);
  }

  private static int integer(DType dtype, byte code) {
    return dtype == DType.U8 ? code & 0xff : code;
  }

  private static EncodedSamples codes(Samples samples, int rows, int columns, boolean perRow) {
    int bits = samples.oneOf(List.of(1, 2, 4, 8));
    int size = 1 << bits;
    // neighbouring rows may share a codebook
    int rowsPerBook = perRow ? samples.oneOf(List.of(1, 2, 3)) : Math.max(1, rows);
    float[] centroids = samples.normal(Math.max(1, Math.ceilDiv(rows, rowsPerBook)) * size);
    for (int book = 0; book < centroids.length; book += size) {
      // fillers need a zero
      centroids[book + samples.between(0, size - 1)] = 0;
    }
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      int book = i / columns / rowsPerBook * size;
      values[i] = centroids[book + samples.between(0, size - 1)];
    }
    Sparse24.Encoder encoder =
        (kept, ofRows, perKept) -> {
          byte[] codes = new byte[kept.length];
          for (int i = 0; i < kept.length; i++) {
            int book = i / perKept / rowsPerBook * size;
            codes[i] = (byte) indexOf(kept[i], Arrays.copyOfRange(centroids, book, book + size));
          }
          return CodeValues.of(bits, codes, centroids, perRow ? rowsPerBook : CodeValues.ALL);
        };
    return new EncodedSamples(
        "codebook-" + bits + "bit" + (perRow ? " per " + rowsPerBook + " rows" : ""),
        values,
        encoder);
  }

  private static int indexOf(float value, float[] centroids) {
    int at = 0;
    while (Float.compare(centroids[at], value) != 0) {
      at++;
    }
    return at;
  }

  /** What remains of the values under a mask: zeros where nothing is kept. */
  public float[] masked(Mask mask, int columns) {
    float[] masked = new float[values.length];
    for (int i = 0; i < masked.length; i++) {
      masked[i] = mask.kept(i / columns, i % columns) ? values[i] : 0;
    }
    return masked;
  }
}
