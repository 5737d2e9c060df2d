package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;
import static dev.filigree.kernels.vector.Lanes.BYTES;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * Multiplies only the weights that are kept, for panels of one or two vectors of tokens. There a
 * pair of outputs, as {@link RowKernel} has them, fills two sums only and waits for each
 * multiply-add; here an output has eight sums, and longer stretches of weights, since the
 * activations of few tokens leave room for more features in the first cache.
 *
 * <pre>
 *   block of outputs 0: features 0..383: output 0, output 1, ... | features 384..767: output 0, ...
 *   block of outputs 1: ...
 *   weights   of one output and block of features, in the order of their features
 *   places    bytes to the row of each weight within the block of features, if a row has one vector
 *   ends      where the weights of each such run end
 * </pre>
 *
 * Wider panels are right, but {@link RowKernel} is faster there.
 */
final class FewTokensKernel implements LinearKernel {
  /** Vectors of tokens that this is made for. */
  static final int VECTORS = 2;

  /** Features whose activations stay in the first cache: 24 KiB for 16 tokens. */
  private static final int FEATURES = 384;

  private final int rows;
  private final int columns;
  private final float[] weights;
  private final char[] places;
  private final int[] ends;

  private FewTokensKernel(int rows, int columns, float[] weights, char[] places, int[] ends) {
    this.rows = rows;
    this.columns = columns;
    this.weights = weights;
    this.places = places;
    this.ends = ends;
  }

  /** Lays weights out. */
  static FewTokensKernel pack(Weights source) {
    int rows = source.rows();
    int columns = source.columns();
    int stretches = Math.ceilDiv(columns, FEATURES);
    int stored = RowPacking.stored(source);
    float[] weights = new float[stored];
    char[] places = new char[stored];
    int[] ends = new int[Math.multiplyExact(rows, stretches)];
    int at = 0;
    int run = 0;
    float[] values = new float[Math.min(BLOCK, rows) * columns];
    for (int first = 0; first < rows; first += BLOCK) {
      int count = Math.min(BLOCK, rows - first);
      for (int o = 0; o < count; o++) {
        source.unpackRow(first + o, values, o * columns);
      }
      for (int k = 0; k < columns; k += FEATURES) {
        int end = Math.min(columns, k + FEATURES);
        for (int o = 0; o < count; o++) {
          for (int feature = k; feature < end; feature++) {
            if (source.keeps(first + o, feature)) {
              places[at] = (char) ((feature - k) * BYTES);
              weights[at++] = values[o * columns + feature];
            }
          }
          ends[run++] = at;
        }
      }
    }
    return new FewTokensKernel(rows, columns, weights, places, ends);
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public long bytes() {
    return (long) weights.length * (Float.BYTES + Character.BYTES)
        + (long) ends.length * Integer.BYTES;
  }

  @Override
  public int scratch() {
    return 0;
  }

  @Override
  public void accumulate(
      int block,
      Panels panels,
      int from,
      int to,
      MemorySegment memory,
      long x,
      long y,
      float[] scratch) {
    long base = memory.address();
    for (int p = from; p < to; p++) {
      int width = panels.width(p);
      long in = base + x + panels.offset(p, columns);
      long out = base + y + panels.offset(p, rows);
      panel(block, width, in, out);
    }
  }

  private void panel(int block, int width, long x, long y) {
    int first = block * BLOCK;
    int count = Math.min(BLOCK, rows - first);
    long row = (long) width * Float.BYTES;
    int run = first * Math.ceilDiv(columns, FEATURES);
    int at = run == 0 ? 0 : ends[run - 1];
    for (int k = 0; k < columns; k += FEATURES) {
      long in = x + k * row;
      for (int o = 0; o < count; o++, run++) {
        output(in, width, at, ends[run] - at, y + (first + o) * row);
        at = ends[run];
      }
    }
  }

  private void output(long x, int width, int at, int count, long y) {
    if (width == 1) {
      oneToken(x, at, count, y);
    } else if (width == Lanes.COUNT) {
      FewTokensTiles.one(x, weights, at, places, count, y);
    } else {
      int shift = Integer.numberOfTrailingZeros(width / Lanes.COUNT);
      for (long t = 0; t < (long) width * Float.BYTES; t += 2 * BYTES) {
        FewTokensTiles.two(x + t, shift, weights, at, places, count, y + t);
      }
    }
  }

  private void oneToken(long x, int at, int count, long y) {
    float sum = 0;
    for (int i = at; i < at + count; i++) {
      long place = places[i] / Lanes.COUNT;
      sum = Math.fma(weights[i], ALL.get(DType.FLOAT, x + place), sum);
    }
    ALL.set(DType.FLOAT, y, ALL.get(DType.FLOAT, y) + sum);
  }
}
