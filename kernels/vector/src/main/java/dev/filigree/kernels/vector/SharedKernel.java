package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Multiplies only the weights that are kept, where every four neighbouring outputs keep the same
 * features: a 2:4 mask that is shared, or columns pruned as a whole.
 *
 * <pre>
 *   tile of outputs 0..3: features 0..127: [kept][4] | features 128..255: [kept][4] | ...
 *   tile of outputs 4..7: ...
 * </pre>
 */
final class SharedKernel implements LinearKernel {
  /** Features of a block: with 64 tokens 32 KiB of activations, which all tiles read. */
  private static final int FEATURES = 128;

  private static final int TILES_PER_BLOCK = BLOCK / DenseTiles.OUTPUTS;

  private final int rows;
  private final int columns;
  private final float[] weights;
  private final byte[] indices;

  /** For each tile and block of features, the place of its first kept feature; and the end. */
  private final int[] starts;

  private SharedKernel(int rows, int columns, float[] weights, byte[] indices, int[] starts) {
    this.rows = rows;
    this.columns = columns;
    this.weights = weights;
    this.indices = indices;
    this.starts = starts;
  }

  /** Whether every four neighbouring outputs keep the same features. */
  static boolean fits(Weights weights) {
    if (weights.rows() % DenseTiles.OUTPUTS != 0) {
      return false;
    }
    for (int tile = 0; tile < weights.rows(); tile += DenseTiles.OUTPUTS) {
      for (int k = 0; k < weights.columns(); k++) {
        boolean kept = weights.keeps(tile, k);
        for (int o = 1; o < DenseTiles.OUTPUTS; o++) {
          if (weights.keeps(tile + o, k) != kept) {
            return false;
          }
        }
      }
    }
    return true;
  }

  /** Lays weights out that {@linkplain #fits fit}. */
  static SharedKernel pack(Weights weights) {
    int columns = weights.columns();
    int tiles = weights.rows() / DenseTiles.OUTPUTS;
    int blocks = Math.ceilDiv(columns, FEATURES);
    // fits were it dense, so that its places can be counted
    float[] values = new float[TileSource.size(weights.rows(), columns)];
    byte[] indices = new byte[values.length / DenseTiles.OUTPUTS];
    int[] starts = new int[tiles * blocks + 1];
    float[] four = new float[DenseTiles.OUTPUTS * columns];
    int kept = 0;
    for (int tile = 0; tile < tiles; tile++) {
      for (int o = 0; o < DenseTiles.OUTPUTS; o++) {
        weights.unpackRow(tile * DenseTiles.OUTPUTS + o, four, o * columns);
      }
      for (int k = 0; k < columns; k++) {
        if (k % FEATURES == 0) {
          starts[tile * blocks + k / FEATURES] = kept;
        }
        if (weights.keeps(tile * DenseTiles.OUTPUTS, k)) {
          for (int o = 0; o < DenseTiles.OUTPUTS; o++) {
            values[kept * DenseTiles.OUTPUTS + o] = four[o * columns + k];
          }
          indices[kept++] = (byte) (k % FEATURES);
        }
      }
    }
    starts[tiles * blocks] = kept;
    return new SharedKernel(
        weights.rows(),
        columns,
        Arrays.copyOf(values, kept * DenseTiles.OUTPUTS),
        Arrays.copyOf(indices, kept),
        starts);
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
    return 4L * weights.length + indices.length + 4L * starts.length;
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
    int firstTile = block * TILES_PER_BLOCK;
    int endTile = Math.min(rows / DenseTiles.OUTPUTS, firstTile + TILES_PER_BLOCK);
    int blocks = Math.ceilDiv(columns, FEATURES);
    for (int p = from; p < to; p++) {
      int width = panels.width(p);
      long row = (long) width * Float.BYTES;
      long in = base + x + panels.offset(p, columns);
      long out = base + y + panels.offset(p, rows);
      for (int k = 0; k < blocks; k++) {
        for (int tile = firstTile; tile < endTile; tile++) {
          int first = starts[tile * blocks + k];
          int count = starts[tile * blocks + k + 1] - first;
          multiply(in + k * FEATURES * row, row, width, first, count, out + tile * 4L * row);
        }
      }
    }
  }

  private void multiply(long x, long row, int width, int first, int count, long y) {
    if (width == 1) {
      oneToken(x, first, count, y);
    } else {
      int at = first * DenseTiles.OUTPUTS;
      SharedTiles.tile(x, row, width, weights, at, indices, first, count, y, row);
    }
  }

  private void oneToken(long x, int first, int count, long y) {
    for (int o = 0; o < DenseTiles.OUTPUTS; o++) {
      float sum = 0;
      for (int i = 0; i < count; i++) {
        float value = ALL.get(DType.FLOAT, x + (indices[first + i] & 0xff) * (long) Float.BYTES);
        sum = Math.fma(weights[(first + i) * DenseTiles.OUTPUTS + o], value, sum);
      }
      long to = y + (long) o * Float.BYTES;
      ALL.set(DType.FLOAT, to, ALL.get(DType.FLOAT, to) + sum);
    }
  }
}
