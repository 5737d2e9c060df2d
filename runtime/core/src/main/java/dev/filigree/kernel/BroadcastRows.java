package dev.filigree.kernel;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.util.Arrays;

/**
 * Operands that broadcast to a result, seen as rows: within a row an operand runs along or stays.
 * Rows are as long as the shapes permit.
 *
 * @param outer indices of the rows
 * @param strides elements to step in each operand along each axis of {@code outer}
 * @param steps for each operand, 1 where it runs along a row, 0 where it stays
 * @param length elements of a row
 */
public record BroadcastRows(Shape outer, long[][] strides, int[] steps, long length) {
  /** The rows of operands. */
  public static BroadcastRows of(Tensor y, Tensor... operands) {
    return of(y.shape(), Arrays.stream(operands).map(Tensor::shape).toArray(Shape[]::new));
  }

  /** The rows of operands of some shapes. */
  public static BroadcastRows of(Shape y, Shape... operands) {
    int count = operands.length;
    long[][] strides = new long[count][];
    for (int o = 0; o < count; o++) {
      strides[o] = Broadcast.strides(operands[o], y);
    }
    int outer = y.rank();
    long length = 1;
    int[] steps = new int[count];
    // the longest row: as many of the last axes as each operand runs along, or stays in, all
    while (outer > 0) {
      long extent = y.extent(outer - 1);
      if (extent != 1) {
        int[] next = new int[count];
        for (int o = 0; o < count; o++) {
          next[o] = step(strides[o][outer - 1], length);
        }
        boolean goesOn =
            Arrays.stream(next).allMatch(step -> step >= 0)
                && (length == 1 || Arrays.equals(next, steps));
        if (!goesOn) {
          break;
        }
        steps = next;
        length *= extent;
      }
      outer--;
    }
    for (int o = 0; o < count; o++) {
      strides[o] = Arrays.copyOf(strides[o], outer);
    }
    return new BroadcastRows(Shape.of(Arrays.copyOf(y.extents(), outer)), strides, steps, length);
  }

  /** 0 where an operand stays in an axis, 1 where it runs on from the axes behind, else -1. */
  private static int step(long stride, long length) {
    return stride == 0 ? 0 : stride == length ? 1 : -1;
  }

  /** Visits every row; the offsets are the operands'. */
  public Strided walk() {
    return new Strided(outer, strides, new long[strides.length]);
  }
}
