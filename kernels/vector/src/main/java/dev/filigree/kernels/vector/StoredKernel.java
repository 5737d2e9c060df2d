package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * Multiplies every weight, read where the file has it. One token is multiplied row by row; for more
 * the rows of a tile are decoded into the cache, block by block, where all tokens use them.
 */
final class StoredKernel implements LinearKernel {
  private final StoredRows source;
  private final DenseKernel tiles;

  /** Bytes of a copy. */
  private final long bytes;

  /** What the addresses of the rows point into is kept as long as this is. */
  private final Weights weights;

  private StoredKernel(Weights weights, StoredRows source, long bytes) {
    this.weights = weights;
    this.source = source;
    this.bytes = bytes;
    this.tiles =
        DenseKernel.of(weights.rows(), weights.columns(), new Tiles(source, weights.rows()));
  }

  /** Reads weights where they are, or copies codes off the heap. */
  static StoredKernel pack(Weights weights) {
    Weights there = NativeCodes.of(weights);
    StoredRows source = StoredRows.of(there).orElseThrow();
    return new StoredKernel(there, source, there == weights ? 0 : weights.bytes());
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

  /** Nothing where the weights are the model's own. */
  @Override
  public long bytes() {
    return bytes;
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
    try {
      if (panels.tokens() == 1) {
        oneToken(block, memory, x, y, scratch);
      } else {
        tiles.accumulate(block, panels, from, to, memory, x, y, scratch);
      }
    } finally {
      Reference.reachabilityFence(weights);
    }
  }

  private void oneToken(int block, MemorySegment memory, long x, long y, float[] scratch) {
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
