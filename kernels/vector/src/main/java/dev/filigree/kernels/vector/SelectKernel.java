package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Multiplies one token with 2:4 weights that stay in their encoding, two rows at a time ({@link
 * SelectRows} draws them). For more tokens they are decoded into dense tiles.
 */
final class SelectKernel implements LinearKernel {
  /** Blocks whose inputs stay in the first cache for several rows. */
  private static final int STRETCH = StoredRows.STRETCH / SelectRows.BLOCK;

  private final SelectRows packed;
  private final DenseKernel tiles;

  private SelectKernel(SelectRows packed) {
    this.packed = packed;
    this.tiles = DenseKernel.of(packed.rows(), packed.columns(), packed);
  }

  /** Lays weights out that {@linkplain SelectRows#fits fit}. */
  static SelectKernel pack(Weights weights) {
    return new SelectKernel(SelectRows.pack(weights));
  }

  @Override
  public int rows() {
    return packed.rows();
  }

  @Override
  public int columns() {
    return packed.columns();
  }

  @Override
  public long bytes() {
    return packed.bytes();
  }

  @Override
  public int scratch() {
    return Math.max(tiles.scratch(), packed.blocks() * SelectRows.BLOCK + 2 * Lanes.COUNT);
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
    int padded = packed.blocks() * SelectRows.BLOCK;
    MemorySegment.copy(memory, DType.FLOAT, x, scratch, 0, columns());
    Arrays.fill(scratch, columns(), padded, 0);
    int last = Math.min(rows(), (block + 1) * BLOCK);
    for (int k = 0; k < packed.blocks(); k += STRETCH) {
      int end = Math.min(packed.blocks(), k + STRETCH);
      for (int row = block * BLOCK; row < last; row += SelectRows.ROWS) {
        multiply(row, k, end, scratch, padded);
        for (int o = 0; o < SelectRows.ROWS && row + o < last; o++) {
          float sum = sum(scratch, padded + o * SelectRows.KEPT) * packed.scale(row + o);
          long out = memory.address() + y + (long) (row + o) * Float.BYTES;
          ALL.set(DType.FLOAT, out, ALL.get(DType.FLOAT, out) + sum);
        }
      }
    }
  }

  private void multiply(int row, int k, int end, float[] scratch, int sums) {
    int next = packed.blocks() * Lanes.COUNT;
    int at = row / 2 * next + k * Lanes.COUNT;
    int blocks = end - k;
    int in = k * SelectRows.BLOCK;
    int[] places = packed.places();
    int[] codes = packed.codes();
    float[] table = packed.table();
    if (packed.values() != null) {
      SelectDots.floats(places, at, next, blocks, packed.values(), scratch, in, sums);
    } else if (packed.integers() != null) {
      SelectDots.integers(places, at, next, blocks, packed.integers(), scratch, in, sums);
    } else if (packed.bookPerRow()) {
      int book = row * SelectRows.CENTROIDS;
      SelectCodes.ofRows(places, codes, at, next, blocks, table, book, scratch, in, sums);
    } else {
      SelectCodes.ofAll(places, codes, at, next, blocks, table, scratch, in, sums);
    }
  }

  private static float sum(float[] lanes, int from) {
    float sum = 0;
    for (int lane = from; lane < from + SelectRows.KEPT; lane++) {
      sum += lanes[lane];
    }
    return sum;
  }
}
