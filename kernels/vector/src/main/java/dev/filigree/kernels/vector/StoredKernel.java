package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Multiplies every weight, read where the file has it. One token is multiplied row by row; for more
 * the rows of a tile are decoded into the cache, block by block, where all tokens use them.
 */
final class StoredKernel implements LinearKernel {
  private final StoredRows source;
  private final DenseKernel tiles;

  StoredKernel(int rows, int columns, StoredRows source) {
    this.source = source;
    this.tiles = DenseKernel.of(rows, columns, new Tiles(source, rows));
  }

  /** The rows as tiles; rows that fill none stay zero. */
  private record Tiles(StoredRows source, int rows) implements TileSource {
    @Override
    public long bytes() {
      return 0;
    }

    @Override
    public void decode(int tile, int k, int features, float[] into, int at) {
      int first = tile * DenseTiles.OUTPUTS;
      for (int o = 0; o < DenseTiles.OUTPUTS; o++) {
        if (first + o < rows) {
          source.decode(first + o, k, features, into, at + o);
        }
      }
    }
  }

  @Override
  public int rows() {
    return tiles.rows();
  }

  @Override
  public int columns() {
    return tiles.columns();
  }

  /** Nothing: the weights are the model's own. */
  @Override
  public long bytes() {
    return 0;
  }

  @Override
  public int scratch() {
    return Math.max(tiles.scratch(), source.scratch() + StoredRows.OUTPUTS);
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
    if (panels.tokens() != 1) {
      tiles.accumulate(block, panels, from, to, memory, x, y, scratch);
      return;
    }
    source.prepare(memory.address() + x, scratch);
    long out = memory.address() + y;
    int last = Math.min(rows(), (block + 1) * BLOCK);
    for (int k = 0; k < columns(); k += StoredRows.STRETCH) {
      int end = Math.min(columns(), k + StoredRows.STRETCH);
      int row = block * BLOCK;
      for (; row + StoredRows.OUTPUTS <= last; row += StoredRows.OUTPUTS) {
        source.dots(row, k, end, scratch, scratch, source.scratch());
        for (int o = 0; o < StoredRows.OUTPUTS; o++) {
          add(out + (row + o) * (long) Float.BYTES, scratch[source.scratch() + o]);
        }
      }
      for (; row < last; row++) {
        add(out + row * (long) Float.BYTES, source.dot(row, k, end, scratch));
      }
    }
  }

  private static void add(long to, float value) {
    ALL.set(DType.FLOAT, to, ALL.get(DType.FLOAT, to) + value);
  }
}
