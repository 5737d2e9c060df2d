package dev.filigree.compress.layer;

import dev.filigree.DType;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Dense;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Sums of products {@code A^T B} over many tokens: chunks of tokens are multiplied in f32 by the
 * kernels that run linear layers, and added up in f64. The chunks do not depend on the number of
 * threads, so neither does the result.
 */
final class Products {
  /** Tokens multiplied in f32 before they are added up in f64. */
  static final int CHUNK = 512;

  private static final int ALIGNMENT = 64;

  private final Kernels kernels;
  private final WorkerPool pool;

  Products(Kernels kernels, WorkerPool pool) {
    this.kernels = kernels;
    this.pool = pool;
  }

  /**
   * Adds {@code A^T B} of a chunk.
   *
   * @param into f64 {@code [rows, columns]}
   * @param a f32 {@code [tokens, rows]}
   * @param b f32 {@code [tokens, columns]}
   * @param upper whether the product is symmetric, so that its upper triangle is enough
   */
  void add(
      double[][] into, float[] a, int rows, float[] b, int columns, int tokens, boolean upper) {
    // A^T takes the place of the weights and the columns of B that of the tokens
    LinearKernel kernel =
        kernels.linear(Dense.of(rows, tokens, transposed(a, tokens, rows))).getFirst().pack();
    Panels panels = Panels.of(columns, kernels.lanes());
    try (Arena arena = Arena.ofShared()) {
      long size = panels.bytes(tokens) + ALIGNMENT;
      MemorySegment memory = arena.allocate(size + panels.bytes(rows), ALIGNMENT);
      long y = size / ALIGNMENT * ALIGNMENT;
      for (int p = 0; p < panels.count(); p++) {
        fill(memory, panels, p, b, columns, tokens);
      }
      float[][] scratch = new float[pool.size()][kernel.scratch()];
      pool.forEach(
          kernel.blocks(),
          (block, worker) -> {
            int first = block * LinearKernel.BLOCK;
            int last = Math.min(rows, first + LinearKernel.BLOCK);
            int from = upper ? panels.of(first) : 0;
            for (int p = from; p < panels.count(); p++) {
              long panel = y + panels.offset(p, rows);
              kernels.start(memory, panel, panels.width(p), first, last, null, -1);
            }
            kernel.accumulate(block, panels, from, panels.count(), memory, 0, y, scratch[worker]);
            for (int p = from; p < panels.count(); p++) {
              long panel = y + panels.offset(p, rows);
              collect(into, memory, panel, panels, p, first, last);
            }
          });
    }
  }

  private static float[] transposed(float[] a, int tokens, int features) {
    float[] moved = new float[tokens * features];
    // by squares, so that neither side leaves the cache between neighbours
    int square = 16;
    for (int f0 = 0; f0 < features; f0 += square) {
      int f1 = Math.min(features, f0 + square);
      for (int t = 0; t < tokens; t++) {
        for (int f = f0; f < f1; f++) {
          moved[f * tokens + t] = a[t * features + f];
        }
      }
    }
    return moved;
  }

  private static void fill(
      MemorySegment memory, Panels panels, int p, float[] b, int columns, int tokens) {
    int width = panels.width(p);
    int used = panels.used(p);
    for (int t = 0; t < tokens; t++) {
      long at = panels.offset(p, tokens) + (long) t * width * Float.BYTES;
      MemorySegment.copy(b, t * columns + panels.start(p), memory, DType.FLOAT, at, used);
      for (int i = used; i < width; i++) {
        memory.set(DType.FLOAT, at + (long) i * Float.BYTES, 0);
      }
    }
  }

  private static void collect(
      double[][] into,
      MemorySegment memory,
      long panel,
      Panels panels,
      int p,
      int first,
      int last) {
    int width = panels.width(p);
    int used = panels.used(p);
    int start = panels.start(p);
    float[] row = new float[width];
    for (int o = first; o < last; o++) {
      MemorySegment.copy(
          memory, DType.FLOAT, panel + (long) o * width * Float.BYTES, row, 0, width);
      double[] sums = into[o];
      for (int i = 0; i < used; i++) {
        sums[start + i] += row[i];
      }
    }
  }
}
