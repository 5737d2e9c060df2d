package dev.filigree.compress.algebra;

import dev.filigree.DType;
import dev.filigree.plan.WorkerPool;
import dev.filigree.spi.Kernels;
import dev.filigree.spi.LinearKernel;
import dev.filigree.spi.Panels;
import dev.filigree.weights.Dense;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Products of f32 matrices by the kernels that run linear layers. The left factor takes the place
 * of the weights, the columns of the right one that of the tokens. A sum runs over the same values
 * in the same order whatever the number of threads. Not safe to share.
 */
public final class MatrixProduct implements AutoCloseable {
  private static final int ALIGNMENT = 64;

  private final Kernels kernels;
  private final WorkerPool pool;
  private Arena arena = Arena.ofShared();
  private MemorySegment memory = MemorySegment.NULL;

  /** Products by some kernels and the threads of a pool, which stays open. */
  public MatrixProduct(Kernels kernels, WorkerPool pool) {
    this.kernels = kernels;
    this.pool = pool;
  }

  /** The pool whose threads multiply. */
  public WorkerPool pool() {
    return pool;
  }

  /** A left factor {@code [m, k]} in the layout of the kernels, for many products. */
  public record Factor(LinearKernel kernel, int m, int k) {}

  /**
   * Lays out a left factor.
   *
   * @param a {@code [m, k]}
   */
  public Factor factor(float[] a, int m, int k) {
    return new Factor(kernels.linear(Dense.of(m, k, a)).getFirst().pack(), m, k);
  }

  /**
   * The product of two matrices.
   *
   * @param a {@code [m, k]}
   * @param b {@code [k, n]}
   * @return {@code [m, n]}
   */
  public float[] multiply(float[] a, int m, int k, float[] b, int n) {
    return multiply(factor(a, m, k), b, n);
  }

  /**
   * The product of two matrices.
   *
   * @param b {@code [k, n]}
   * @return {@code [m, n]}
   */
  public float[] multiply(Factor a, float[] b, int n) {
    int m = a.m();
    int k = a.k();
    LinearKernel kernel = a.kernel();
    float[] c = new float[m * n];
    Panels panels = Panels.of(n, kernels.lanes());
    long y = (panels.bytes(k) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    reserve(y + panels.bytes(m) + ALIGNMENT);
    pool.forEach(panels.count(), (p, worker) -> fill(memory, panels, p, b, k, n));
    float[][] scratch = new float[pool.size()][];
    pool.forEach(
        kernel.blocks(),
        (block, worker) -> {
          if (scratch[worker] == null) {
            scratch[worker] = new float[kernel.scratch()];
          }
          int first = block * LinearKernel.BLOCK;
          int last = Math.min(m, first + LinearKernel.BLOCK);
          for (int p = 0; p < panels.count(); p++) {
            kernels.start(memory, y + panels.offset(p, m), panels.width(p), first, last, null, -1);
          }
          kernel.accumulate(block, panels, 0, panels.count(), memory, 0, y, scratch[worker]);
          for (int p = 0; p < panels.count(); p++) {
            long panel = y + panels.offset(p, m);
            for (int row = first; row < last; row++) {
              long from = panel + (long) row * panels.width(p) * Float.BYTES;
              MemorySegment.copy(
                  memory, DType.FLOAT, from, c, row * n + panels.start(p), panels.used(p));
            }
          }
        });
    return c;
  }

  private void reserve(long bytes) {
    if (memory.byteSize() < bytes) {
      arena.close();
      arena = Arena.ofShared();
      memory = arena.allocate(bytes, ALIGNMENT);
    }
  }

  /**
   * Lays out a panel's columns of a right factor; columns that a panel has beyond it are zeros.
   *
   * @param memory where panels lie from byte 0
   * @param p number of the panel
   * @param b {@code [k, n]}
   */
  public static void fill(MemorySegment memory, Panels panels, int p, float[] b, int k, int n) {
    int width = panels.width(p);
    int used = panels.used(p);
    for (int row = 0; row < k; row++) {
      long at = panels.offset(p, k) + (long) row * width * Float.BYTES;
      MemorySegment.copy(b, row * n + panels.start(p), memory, DType.FLOAT, at, used);
      for (int i = used; i < width; i++) {
        memory.set(DType.FLOAT, at + (long) i * Float.BYTES, 0);
      }
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
