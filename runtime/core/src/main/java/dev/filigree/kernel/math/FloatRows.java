package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Tensor;
import dev.filigree.kernel.BroadcastRows;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Strided;

/**
 * Arithmetic on two broadcast f32 tensors row by row: within a row an operand runs along or stays.
 * Float operations give what double ones rounded to float would.
 */
enum FloatRows {
  ADD {
    @Override
    void row(
        Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
      for (long i = 0; i < n; i++) {
        set(y, to + i, get(a, at + i * stepA) + get(b, from + i * stepB));
      }
    }
  },
  SUB {
    @Override
    void row(
        Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
      for (long i = 0; i < n; i++) {
        set(y, to + i, get(a, at + i * stepA) - get(b, from + i * stepB));
      }
    }
  },
  MUL {
    @Override
    void row(
        Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
      for (long i = 0; i < n; i++) {
        set(y, to + i, get(a, at + i * stepA) * get(b, from + i * stepB));
      }
    }
  },
  DIV {
    @Override
    void row(
        Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n) {
      for (long i = 0; i < n; i++) {
        set(y, to + i, get(a, at + i * stepA) / get(b, from + i * stepB));
      }
    }
  };

  /**
   * Computes one row; positions are in elements.
   *
   * @param stepA 1 where a runs along the row, 0 where it stays
   * @param stepB the same of b
   */
  abstract void row(
      Tensor a, long at, int stepA, Tensor b, long from, int stepB, Tensor y, long to, long n);

  static float get(Tensor tensor, long i) {
    return tensor.data().get(DType.FLOAT, i * Float.BYTES);
  }

  static void set(Tensor tensor, long i, float value) {
    tensor.data().set(DType.FLOAT, i * Float.BYTES, value);
  }

  /** The operation as a kernel. */
  Kernel bind(Tensor a, Tensor b, Tensor y) {
    BroadcastRows rows = BroadcastRows.of(y, a, b);
    Strided walk = rows.walk();
    long n = rows.length();
    int stepA = rows.steps()[0];
    int stepB = rows.steps()[1];
    // made once: a run must not allocate
    Strided.Body body = (i, at) -> row(a, at[0], stepA, b, at[1], stepB, y, i * n, n);
    return () -> walk.forEach(body);
  }
}
