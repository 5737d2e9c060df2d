package dev.filigree.compress.algebra;

import dev.filigree.plan.WorkerPool;

/** Transposes f32 matrices that are stored row by row. */
public final class Transposition {
  /**
   * Rows moved at a time: few enough rows that their lines stay in the first cache even where the
   * extent of a row is a multiple of its ways.
   */
  private static final int ROWS = 8;

  /** Columns moved at a time: a line of the cache. */
  private static final int COLUMNS = 16;

  private Transposition() {}

  /**
   * The transpose of a matrix.
   *
   * @param a {@code [rows, columns]}
   * @return {@code [columns, rows]}
   */
  public static float[] of(float[] a, int rows, int columns) {
    float[] moved = new float[rows * columns];
    for (int strip = 0; strip < strips(columns); strip++) {
      move(a, rows, columns, strip, moved);
    }
    return moved;
  }

  /** The same by the threads of a pool. */
  public static float[] of(float[] a, int rows, int columns, WorkerPool pool) {
    float[] moved = new float[rows * columns];
    pool.forEach(strips(columns), (strip, worker) -> move(a, rows, columns, strip, moved));
    return moved;
  }

  private static int strips(int columns) {
    return Math.ceilDiv(columns, COLUMNS);
  }

  private static void move(float[] a, int rows, int columns, int strip, float[] moved) {
    int c0 = strip * COLUMNS;
    int c1 = Math.min(columns, c0 + COLUMNS);
    for (int r0 = 0; r0 < rows; r0 += ROWS) {
      int r1 = Math.min(rows, r0 + ROWS);
      for (int c = c0; c < c1; c++) {
        for (int r = r0; r < r1; r++) {
          moved[c * rows + r] = a[r * columns + c];
        }
      }
    }
  }
}
