package dev.filigree.compress.layer;

import dev.filigree.DType;
import dev.filigree.compress.algebra.MatrixProduct;
import dev.filigree.compress.algebra.Transposition;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Dense;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A sum of products {@code A^T B} over many tokens: chunks of tokens are multiplied in f32 by the
 * kernels that run linear layers, and added up in f64. The chunks do not depend on the number of
 * threads nor on how tokens come in, so neither does the result.
 */
final class Products {
  /** Tokens multiplied in f32 before they are added up in f64. */
  private static final int CHUNK = 512;

  private static final int ALIGNMENT = 64;

  private final Kernels kernels;
  private final WorkerPool pool;
  private final double[][] sum;
  private final int rows;
  private final int columns;
  private final boolean isSymmetric;
  private final float[] pendingA;
  private final float[] pendingB;
  private int pending;

  /** Whether the lower triangle of a symmetric sum is behind the upper one. */
  private boolean isHalf;

  /**
   * A sum of no tokens yet.
   *
   * @param rows features of A
   * @param columns features of B
   * @param isSymmetric whether B is A, so that the upper triangle is enough
   */
  Products(int rows, int columns, boolean isSymmetric, Kernels kernels, WorkerPool pool) {
    this.kernels = kernels;
    this.pool = pool;
    this.rows = rows;
    this.columns = columns;
    this.isSymmetric = isSymmetric;
    this.sum = new double[rows][columns];
    this.pendingA = new float[CHUNK * rows];
    this.pendingB = isSymmetric ? pendingA : new float[CHUNK * columns];
  }

  /**
   * Adds tokens.
   *
   * @param a f32 {@code [tokens, rows]}
   * @param b f32 {@code [tokens, columns]}; not read if the sum is symmetric
   */
  void add(float[] a, float[] b, int tokens) {
    for (int from = 0; from < tokens; ) {
      int count = Math.min(tokens - from, CHUNK - pending);
      System.arraycopy(a, from * rows, pendingA, pending * rows, count * rows);
      if (!isSymmetric) {
        System.arraycopy(b, from * columns, pendingB, pending * columns, count * columns);
      }
      pending += count;
      from += count;
      if (pending == CHUNK) {
        flush();
      }
    }
  }

  /** The sum over all tokens so far; of a symmetric one both triangles. */
  double[][] sum() {
    if (pending > 0) {
      flush();
    }
    if (isHalf) {
      isHalf = false;
      for (int i = 0; i < rows; i++) {
        for (int j = i + 1; j < columns; j++) {
          sum[j][i] = sum[i][j];
        }
      }
    }
    return sum;
  }

  private void flush() {
    int tokens = pending;
    pending = 0;
    isHalf = isSymmetric;
    // A^T takes the place of the weights and the columns of B that of the tokens
    LinearKernel kernel =
        kernels
            .linear(Dense.of(rows, tokens, Transposition.of(pendingA, tokens, rows, pool)))
            .getFirst()
            .pack();
    Panels panels = Panels.of(columns, kernels.lanes());
    try (Arena arena = Arena.ofShared()) {
      long size = panels.bytes(tokens) + ALIGNMENT;
      MemorySegment memory = arena.allocate(size + panels.bytes(rows), ALIGNMENT);
      long y = size / ALIGNMENT * ALIGNMENT;
      for (int p = 0; p < panels.count(); p++) {
        MatrixProduct.fill(memory, panels, p, pendingB, tokens, columns);
      }
      float[][] scratch = new float[pool.size()][kernel.scratch()];
      pool.forEach(
          kernel.blocks(),
          (block, worker) -> {
            int first = block * LinearKernel.BLOCK;
            int last = Math.min(rows, first + LinearKernel.BLOCK);
            int from = isSymmetric ? panels.of(first) : 0;
            for (int p = from; p < panels.count(); p++) {
              long panel = y + panels.offset(p, rows);
              kernels.start(memory, panel, panels.width(p), first, last, null, -1);
            }
            kernel.accumulate(block, panels, from, panels.count(), memory, 0, y, scratch[worker]);
            for (int p = from; p < panels.count(); p++) {
              long panel = y + panels.offset(p, rows);
              collect(sum, memory, panel, panels, p, first, last);
            }
          });
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
