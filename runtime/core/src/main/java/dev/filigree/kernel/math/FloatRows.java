package dev.filigree.kernel.math;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.kernel.Broadcast;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Strided;
import java.util.Arrays;

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
    long[] stridesA = Broadcast.strides(a.shape(), y.shape());
    long[] stridesB = Broadcast.strides(b.shape(), y.shape());
    int rank = y.shape().rank();
    int outer = rank;
    long length = 1;
    int stepA = -1;
    int stepB = -1;
    // the longest row: as many of the last axes as both operands run along, or stay in, all
    while (outer > 0) {
      long extent = y.shape().extent(outer - 1);
      int nextA = extent == 1 ? stepA : step(stridesA[outer - 1], length);
      int nextB = extent == 1 ? stepB : step(stridesB[outer - 1], length);
      boolean goesOn =
          extent == 1
              || nextA >= 0
                  && nextB >= 0
                  && (stepA < 0 || nextA == stepA)
                  && (stepB < 0 || nextB == stepB);
      if (!goesOn) {
        break;
      }
      stepA = nextA;
      stepB = nextB;
      length *= extent;
      outer--;
    }
    long n = length;
    int runsA = Math.max(stepA, 0);
    int runsB = Math.max(stepB, 0);
    Strided rows =
        new Strided(
            Shape.of(Arrays.copyOf(y.shape().extents(), outer)),
            new long[][] {Arrays.copyOf(stridesA, outer), Arrays.copyOf(stridesB, outer)},
            new long[2]);
    // made once: a run must not allocate
    Strided.Body body = (i, at) -> row(a, at[0], runsA, b, at[1], runsB, y, i * n, n);
    return () -> rows.forEach(body);
  }

  /** 0 where an operand stays in an axis, 1 where it runs on from the axes behind, else -1. */
  private static int step(long stride, long length) {
    return stride == 0 ? 0 : stride == length ? 1 : -1;
  }
}
