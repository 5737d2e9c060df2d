package dev.filigree.kernels.vector;

import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * Multiplies every weight. The weights lie tile by tile, four outputs beside each other, in the
 * order in which the tile kernel and the one-token kernel read them, so that both stream through
 * them once:
 *
 * <pre>
 *   tile 0: k0: w[0,0] w[1,0] w[2,0] w[3,0] | k1: w[0,1] w[1,1] w[2,1] w[3,1] | ... | kK-1
 *   tile 1: k0: w[4,0] w[5,0] w[6,0] w[7,0] | ...
 * </pre>
 *
 * They are floats, or codes that are decoded block by block into a thread's scratch, where all
 * panels then use them. Rows that fill no tile are padded with zeros that nobody reads.
 */
final class DenseKernel implements LinearKernel {
  /**
   * Features of a block: with 64 tokens 24 KiB of activations, half of the first cache, which
   * threads may share.
   */
  static final int FEATURES = 96;

  private static final int TILES_PER_BLOCK = BLOCK / DenseTiles.OUTPUTS;

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
    int decoded = source.floats() == null ? BLOCK * FEATURES : 0;
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
    int firstTile = block * TILES_PER_BLOCK;
    int endTile =
        Math.min((rows + DenseTiles.OUTPUTS - 1) / DenseTiles.OUTPUTS, firstTile + TILES_PER_BLOCK);
    if (source.floats() != null) {
      for (int p = from; p < to; p++) {
        int step = features(panels.width(p));
        for (int k = 0; k < columns; k += step) {
          int features = Math.min(step, columns - k);
          for (int tile = firstTile; tile < endTile; tile++) {
            int at = (tile * columns + k) * DenseTiles.OUTPUTS;
            multiply(
                panels, p, base + x, base + y, tile, k, features, source.floats(), at, scratch);
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

  /**
   * Features of a block that takes as much cache in narrow panels: longer runs of weights. One
   * token streams through whole rows.
   */
  private int features(int width) {
    return width == 1 ? columns : FEATURES * Panels.FULL / width;
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
