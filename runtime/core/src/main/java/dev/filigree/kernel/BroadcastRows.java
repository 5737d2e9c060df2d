package dev.filigree.kernel;

import dev.filigree.Shape;
import java.util.Arrays;

/**
 * Two operands that broadcast to a result, seen as rows: within a row an operand runs along or
 * stays. Rows are as long as the shapes permit.
 *
 * @param outer indices of the rows
 * @param stridesA elements to step in the first operand along each axis of {@code outer}
 * @param stridesB the same of the second
 * @param stepA 1 where the first operand runs along a row, 0 where it stays
 * @param stepB the same of the second
 * @param length elements of a row
 */
public record BroadcastRows(
    Shape outer, long[] stridesA, long[] stridesB, int stepA, int stepB, long length) {
  /** The rows of operands of some shapes. */
  public static BroadcastRows of(Shape a, Shape b, Shape y) {
    long[] stridesA = Broadcast.strides(a, y);
    long[] stridesB = Broadcast.strides(b, y);
    int outer = y.rank();
    long length = 1;
    int stepA = -1;
    int stepB = -1;
    // the longest row: as many of the last axes as both operands run along, or stay in, all
    while (outer > 0) {
      long extent = y.extent(outer - 1);
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
    return new BroadcastRows(
        Shape.of(Arrays.copyOf(y.extents(), outer)),
        Arrays.copyOf(stridesA, outer),
        Arrays.copyOf(stridesB, outer),
        Math.max(stepA, 0),
        Math.max(stepB, 0),
        length);
  }

  /** 0 where an operand stays in an axis, 1 where it runs on from the axes behind, else -1. */
  private static int step(long stride, long length) {
    return stride == 0 ? 0 : stride == length ? 1 : -1;
  }

  /** Visits every row; of the two offsets the first is the first operand's. */
  public Strided walk() {
    return new Strided(outer, new long[][] {stridesA, stridesB}, new long[2]);
  }
}
