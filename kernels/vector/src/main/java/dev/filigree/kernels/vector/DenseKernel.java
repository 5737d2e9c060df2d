package dev.filigree.kernels.vector;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

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
    int decoded = source instanceof TileSource.FloatTiles ? 0 : BLOCK * FEATURES;
    return OneToken.SCRATCH + decoded;
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
    int endTile =
        Math.min(
            (rows + DenseTiles.OUTPUTS - 1) / DenseTiles.OUTPUTS, firstTile + DenseTiles.PER_BLOCK);
    if (source instanceof TileSource.FloatTiles tiles) {
      for (int p = from; p < to; p++) {
        for (int k = 0; k < columns; k += TileSource.CHUNK) {
          int features = Math.min(TileSource.CHUNK, columns - k);
          for (int tile = firstTile; tile < endTile; tile++) {
            int at = tiles.at(tile, k);
            multiply(panels, p, base + x, base + y, tile, k, features, tiles.floats(), at, scratch);
          }
        }
      }
      return;
    }
    // decoded weights serve all panels before they make room for the next
    for (int k = 0; k < columns; k += FEATURES) {
      int features = Math.min(FEATURES, columns - k);
      for (int tile = firstTile; tile < endTile; tile++) {
        source.decode(tile, k, features, scratch, decodedAt(tile - firstTile));
      }
      for (int p = from; p < to; p++) {
        for (int tile = firstTile; tile < endTile; tile++) {
          int at = decodedAt(tile - firstTile);
          multiply(panels, p, base + x, base + y, tile, k, features, scratch, at, scratch);
        }
      }
    }
  }

  private int decodedAt(int tileOfBlock) {
    return OneToken.SCRATCH + tileOfBlock * DenseTiles.OUTPUTS * FEATURES;
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
    int output = tile * DenseTiles.OUTPUTS;
    long out = y + panels.offset(panel, rows) + output * row;
    int outputs = Math.min(DenseTiles.OUTPUTS, rows - output);
    if (width == 1) {
      OneToken.tile(in, weights, at, features, out, outputs, scratch);
    } else if (outputs == DenseTiles.OUTPUTS) {
      DenseTiles.tile(in, row, width, weights, at, features, out, row);
    } else {
      for (int o = 0; o < outputs; o++) {
        DenseTiles.row(in, row, width, weights, at + o, features, out + o * row);
      }
    }
  }
}
