package dev.filigree.kernels.vector;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Multiplies every weight. The weights lie in tiles, four outputs beside each other, in the order
 * in which they are read: for each block of outputs chunk of features by chunk of features, and of
 * each chunk tile by tile. Memory is fetched ahead only of whom reads it from one end to the other.
 *
 * <pre>
 *   block 0, features 0..95:    tile 0: k0: w[0,0] w[1,0] w[2,0] w[3,0] | k1: w[0,1] .. | .. | k95
 *                               tile 1: k0: w[4,0] w[5,0] w[6,0] w[7,0] | ..
 *                               ..
 *            features 96..191:  tile 0: k96: ..
 *   block 1, ..
 * </pre>
 *
 * They are floats, or codes that are decoded chunk by chunk into a thread's scratch, where all
 * panels then use them; codes lie tile by tile with all features. Rows that fill no tile are padded
 * with zeros that nobody reads.
 */
final class DenseKernel implements LinearKernel {
  /** Features of codes that are decoded together. */
  static final int FEATURES = 96;

  /** Floats of scratch in which the tiles of a block are summed for a single token. */
  private static final int ONE_TOKEN = DenseTiles.PER_BLOCK * OneToken.SUMS;

  private final int rows;
  private final int columns;
  private final TileSource source;

  private DenseKernel(int rows, int columns, TileSource source) {
    this.rows = rows;
    this.columns = columns;
    this.source = source;
  }

  /** Lays weights out. */
  static DenseKernel pack(Weights weights) {
    return new DenseKernel(weights.rows(), weights.columns(), TileSource.of(weights));
  }

  /** A kernel over tiles that another one lays out. */
  static DenseKernel of(int rows, int columns, TileSource source) {
    return new DenseKernel(rows, columns, source);
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
    return source.bytes();
  }

  @Override
  public int scratch() {
    return ONE_TOKEN + (source instanceof TileSource.FloatTiles ? 0 : BLOCK * FEATURES);
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
    long in = memory.address() + x;
    long out = memory.address() + y;
    int first = block * DenseTiles.PER_BLOCK;
    int end = Math.min(TileSource.tiles(rows), first + DenseTiles.PER_BLOCK);
    boolean one = panels.tokens() == 1;
    if (one) {
      Arrays.fill(scratch, 0, ONE_TOKEN, 0);
    }
    if (source instanceof TileSource.FloatTiles tiles) {
      for (int p = from; p < to; p++) {
        for (int k = 0; k < columns; k += TileSource.CHUNK) {
          int features = Math.min(TileSource.CHUNK, columns - k);
          for (int tile = first; tile < end; tile++) {
            int at = tiles.at(tile, k);
            multiply(panels, p, in, out, tile, k, features, tiles.floats(), at, scratch);
          }
        }
      }
    } else {
      decoded(panels, from, to, in, out, first, end, scratch);
    }
    for (int tile = first; one && tile < end; tile++) {
      int output = tile * DenseTiles.OUTPUTS;
      int outputs = Math.min(DenseTiles.OUTPUTS, rows - output);
      OneToken.finish(scratch, sumsAt(tile), out + (long) output * Float.BYTES, outputs);
    }
  }

  /** Decoded weights serve all panels before they make room for the next. */
  private void decoded(
      Panels panels, int from, int to, long x, long y, int first, int end, float[] scratch) {
    for (int k = 0; k < columns; k += FEATURES) {
      int features = Math.min(FEATURES, columns - k);
      for (int tile = first; tile < end; tile++) {
        source.decode(tile, k, features, scratch, decodedAt(tile));
      }
      for (int p = from; p < to; p++) {
        for (int tile = first; tile < end; tile++) {
          multiply(panels, p, x, y, tile, k, features, scratch, decodedAt(tile), scratch);
        }
      }
    }
  }

  private static int sumsAt(int tile) {
    return tile % DenseTiles.PER_BLOCK * OneToken.SUMS;
  }

  private static int decodedAt(int tile) {
    return ONE_TOKEN + tile % DenseTiles.PER_BLOCK * DenseTiles.OUTPUTS * FEATURES;
  }

  private void multiply(
      Panels panels,
      int panel,
      long x,
      long y,
      int tile,
      int k,
      int features,
      float[] weights,
      int at,
      float[] scratch) {
    int width = panels.width(panel);
    long row = (long) width * Float.BYTES;
    long in = x + panels.offset(panel, columns) + k * row;
    if (width == 1) {
      OneToken.add(in, weights, at, features, scratch, sumsAt(tile));
      return;
    }
    int output = tile * DenseTiles.OUTPUTS;
    long out = y + panels.offset(panel, rows) + output * row;
    if (output + DenseTiles.OUTPUTS <= rows) {
      DenseTiles.tile(in, row, width, weights, at, features, out, row);
    } else {
      for (int o = 0; output + o < rows; o++) {
        DenseTiles.row(in, row, width, weights, at + o, features, out + o * row);
      }
    }
  }
}
