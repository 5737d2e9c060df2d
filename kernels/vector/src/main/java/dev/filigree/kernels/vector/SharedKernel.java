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
 *   outputs 0..63: features 0..127: tile 0..3: [kept][4] | 4..7: [kept][4] | ... | features 128..255: ...
 *   outputs 64..127: ...
 * </pre>
 */
final class SharedKernel implements LinearKernel {
  /** Features of a block: with 64 tokens 32 KiB of activations, which all tiles read. */
  private static final int FEATURES = 128;

  private final int rows;
  private final int columns;
  private final float[] weights;
  private final byte[] indices;

  /** Place of the first kept feature of each tile in each block of features, in order; the end. */
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
    float[] outputs = new float[Math.min(BLOCK, weights.rows()) * columns];
    int slot = 0;
    int kept = 0;
    for (int first = 0; first < tiles; first += DenseTiles.PER_BLOCK) {
      int end = Math.min(tiles, first + DenseTiles.PER_BLOCK);
      int firstOutput = first * DenseTiles.OUTPUTS;
      for (int o = firstOutput; o < end * DenseTiles.OUTPUTS; o++) {
        weights.unpackRow(o, outputs, (o - firstOutput) * columns);
      }
      for (int from = 0; from < columns; from += FEATURES) {
        for (int tile = first; tile < end; tile++) {
          int output = tile * DenseTiles.OUTPUTS;
          starts[slot++] = kept;
          for (int k = from; k < Math.min(columns, from + FEATURES); k++) {
            if (weights.keeps(output, k)) {
              for (int o = 0; o < DenseTiles.OUTPUTS; o++) {
                values[kept * DenseTiles.OUTPUTS + o] =
                    outputs[(output - firstOutput + o) * columns + k];
              }
              indices[kept++] = (byte) (k - from);
            }
          }
        }
      }
    }
    starts[slot] = kept;
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
    int firstTile = block * DenseTiles.PER_BLOCK;
    int endTile = Math.min(rows / DenseTiles.OUTPUTS, firstTile + DenseTiles.PER_BLOCK);
    int tiles = endTile - firstTile;
    int blocks = Math.ceilDiv(columns, FEATURES);
    for (int p = from; p < to; p++) {
      int width = panels.width(p);
      long row = (long) width * Float.BYTES;
      long in = base + x + panels.offset(p, columns);
      long out = base + y + panels.offset(p, rows);
      for (int k = 0; k < blocks; k++) {
        for (int tile = firstTile; tile < endTile; tile++) {
          int slot = firstTile * blocks + k * tiles + tile - firstTile;
          int first = starts[slot];
          int count = starts[slot + 1] - first;
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
