package dev.filigree.kernels.vector;

import static dev.filigree.kernels.vector.Lanes.ALL;

import dev.filigree.DType;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Weights;
import java.lang.foreign.MemorySegment;

/**
 * Multiplies only the weights that are kept, whatever pattern they have. Outputs are taken in
 * pairs; see {@link RowTiles} for the order of a pair's weights. All pairs of a block of outputs
 * follow each other, block of features by block of features, so that a block of activations stays
 * in the first cache for all of them.
 *
 * <pre>
 *   block of outputs 0: features 0..F-1: pair 0, pair 1, ... | features F..2F-1: pair 0, pair 1, ... | ...
 *   block of outputs 1: ...
 * </pre>
 */
final class RowKernel implements LinearKernel {
  private final int rows;
  private final int columns;
  private final int features;
  private final RowPacking packing;

  private RowKernel(int rows, int columns, RowPacking packing) {
    this.rows = rows;
    this.columns = columns;
    this.features = packing.features();
    this.packing = packing;
  }

  /** Lays weights out. */
  static RowKernel pack(Weights weights) {
    return new RowKernel(weights.rows(), weights.columns(), RowPacking.of(weights));
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
    return packing.bytes();
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
    for (int p = from; p < to; ) {
      boolean two =
          Lanes.MANY_REGISTERS
              && p + 1 < to
              && panels.width(p) == Panels.FULL
              && panels.width(p + 1) == Panels.FULL;
      panel(block, panels, p, two, base + x, base + y);
      p += two ? 2 : 1;
    }
  }

  /** A block of outputs against one panel or two. */
  private void panel(int block, Panels panels, int panel, boolean two, long x, long y) {
    int width = panels.width(panel);
    long row = (long) width * Float.BYTES;
    long in = x + panels.offset(panel, columns);
    long out = y + panels.offset(panel, rows);
    long second = two ? panels.offset(panel + 1, columns) - panels.offset(panel, columns) : 0;
    long secondY = two ? panels.offset(panel + 1, rows) - panels.offset(panel, rows) : 0;
    int pairs = packing.pairs(block);
    int slot = packing.firstSlot(block);
    int at = packing.firstWeight(block);
    int index = packing.firstIndex(block);
    float[] w = packing.weights();
    byte[] indices = packing.indices();
    for (int k = 0; k < columns; k += features) {
      for (int pair = 0; pair < pairs; pair++, slot++) {
        int both = packing.both(slot);
        int either = packing.either(slot);
        int rest = packing.rest(slot);
        long ya = out + packing.first(slot) * row;
        long yb = out + packing.second(slot) * row;
        if (width == 1) {
          oneToken(in + k * row, at, index, both, either, rest, ya, yb);
        } else if (!Lanes.MANY_REGISTERS && width == WideRows.VECTORS * Lanes.COUNT) {
          long first = in + k * row;
          WideRows.output(first, row, w, at, indices, index, both, either, rest, 0, ya);
          if (yb != ya) {
            WideRows.output(first, row, w, at, indices, index, both, either, 0, 1, yb);
          }
        } else {
          RowTiles.pair(
              in + k * row,
              second,
              row,
              width,
              w,
              at,
              indices,
              index,
              both,
              either,
              rest,
              ya,
              yb,
              secondY);
        }
        at += 2 * (both + either) + rest;
        index += both + 2 * either + rest;
      }
    }
  }

  /** A single token: every weight is read once, in order; the activations fit the first cache. */
  private void oneToken(
      long x, int at, int index, int both, int either, int rest, long ya, long yb) {
    float[] w = packing.weights();
    byte[] indices = packing.indices();
    float a = 0;
    float b = 0;
    for (int i = 0; i < both; i++, index++, at += 2) {
      float value = input(x, indices[index]);
      a = Math.fma(w[at], value, a);
      b = Math.fma(w[at + 1], value, b);
    }
    for (int i = 0; i < either; i++, index += 2, at += 2) {
      a = Math.fma(w[at], input(x, indices[index]), a);
      b = Math.fma(w[at + 1], input(x, indices[index + 1]), b);
    }
    for (int i = 0; i < rest; i++, index++, at++) {
      a = Math.fma(w[at], input(x, indices[index]), a);
    }
    ALL.set(DType.FLOAT, ya, ALL.get(DType.FLOAT, ya) + a);
    if (yb != ya) {
      ALL.set(DType.FLOAT, yb, ALL.get(DType.FLOAT, yb) + b);
    }
  }

  private static float input(long x, byte row) {
    return ALL.get(DType.FLOAT, x + (row & 0xff) * (long) Float.BYTES);
  }
}
