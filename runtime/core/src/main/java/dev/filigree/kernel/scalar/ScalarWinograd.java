package dev.filigree.kernel.scalar;

import static dev.filigree.kernel.scalar.ScalarKernels.get;
import static dev.filigree.kernel.scalar.ScalarKernels.set;

import java.lang.foreign.MemorySegment;

/** Scalar kernels on tiles of 4 x 4 pixels. */
final class ScalarWinograd {
  private static final int SIDE = 4;

  private static final int[][] INPUT = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
  private static final int[][] OUTPUT = {{1, 1, 1, 0}, {0, 1, -1, -1}};

  private ScalarWinograd() {}

  static void input(MemorySegment memory, long x, long step, int count) {
    for (int i = 0; i < count; i++) {
      double[][] tile = transformed(INPUT, read(memory, x + (long) i * Float.BYTES, step));
      for (int r = 0; r < SIDE; r++) {
        for (int c = 0; c < SIDE; c++) {
          set(memory, x + (long) i * Float.BYTES + (SIDE * r + c) * step, tile[r][c]);
        }
      }
    }
  }

  static void output(
      MemorySegment memory, long y, long step, int from, int to, int width, float[] bias) {
    for (int o = from; o < to; o++) {
      for (int i = 0; i < width; i++) {
        long at = y + ((long) o * width + i) * Float.BYTES;
        double[][] results = transformed(OUTPUT, read(memory, at, step));
        double added = bias == null ? 0 : bias[o];
        for (int result = 0; result < 4; result++) {
          set(memory, at + result * step, results[result / 2][result % 2] + added);
        }
      }
    }
  }

  private static double[][] read(MemorySegment memory, long at, long step) {
    double[][] tile = new double[SIDE][SIDE];
    for (int r = 0; r < SIDE; r++) {
      for (int c = 0; c < SIDE; c++) {
        tile[r][c] = get(memory, at + (SIDE * r + c) * step);
      }
    }
    return tile;
  }

  /** {@code M tile M^T}. */
  private static double[][] transformed(int[][] matrix, double[][] tile) {
    double[][] result = new double[matrix.length][matrix.length];
    for (int r = 0; r < matrix.length; r++) {
      for (int c = 0; c < matrix.length; c++) {
        for (int i = 0; i < SIDE; i++) {
          for (int j = 0; j < SIDE; j++) {
            result[r][c] += matrix[r][i] * tile[i][j] * matrix[c][j];
          }
        }
      }
    }
    return result;
  }

  static void interleave(
      MemorySegment memory, long a, long b, int pitch, long y, int yPitch, int rows, int width) {
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < width; i++) {
        long from = (i % 2 == 0 ? a : b) + ((long) r * pitch + i / 2) * Float.BYTES;
        set(memory, y + ((long) r * yPitch + i) * Float.BYTES, get(memory, from));
      }
    }
  }
}
