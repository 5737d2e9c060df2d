package dev.filigree.cuda.operation;

import dev.filigree.UnsupportedException;
import dev.filigree.kernels.cuda.Parameter;
import java.util.ArrayList;
import java.util.List;

/**
 * How a kernel of single elements goes through operands of the same extents: rows of the last axis,
 * and at most five axes over the rows. Neighbouring axes that every operand passes through in one
 * stride become one, so that most tensors of any rank need one or two.
 *
 * <pre>
 *   extents   [8] [12] [128] [64]     steps of x   98304 8192 64 1     of the mask   128 0 0 1
 *   merged    [8] [1536]     [64]                  98304      64 1                   128   0 1
 * </pre>
 *
 * @param extents of the axes over the rows, ones in front
 * @param steps of each operand along them
 * @param rows their product
 * @param columns of the last axis
 * @param step of each operand along the last axis
 */
record Walk(long[] extents, long[][] steps, int rows, int columns, long[] step) {
  /** So that merged columns, and a pitch beyond them, stay in range. */
  private static final long MOST_COLUMNS = 1 << 30;

  private record Axis(long extent, long[] steps) {
    /** This axis and the next as one, if every operand passes from one into the other. */
    boolean continues(Axis next) {
      if (extent * next.extent > MOST_COLUMNS) {
        return false;
      }
      for (int i = 0; i < steps.length; i++) {
        if (steps[i] != next.steps[i] * next.extent) {
          return false;
        }
      }
      return true;
    }
  }

  /**
   * A walk through operands.
   *
   * @throws UnsupportedException if more axes remain than kernels take
   */
  static Walk of(View... operands) {
    int rank = operands[0].rank();
    List<Axis> axes = merged(rank - 1, operands);
    Axis row = rank == 0 ? new Axis(1, new long[operands.length]) : axis(rank - 1, operands);
    if (!axes.isEmpty() && axes.getLast().continues(row)) {
      row = new Axis(axes.removeLast().extent * row.extent, row.steps);
    }
    return of(axes, row, operands.length);
  }

  /** A walk through all elements by the axes over the rows: each row has one. */
  static Walk ofElements(View... operands) {
    Axis element = new Axis(1, new long[operands.length]);
    return of(merged(operands[0].rank(), operands), element, operands.length);
  }

  private static Axis axis(int at, View... operands) {
    long[] steps = new long[operands.length];
    for (int o = 0; o < operands.length; o++) {
      steps[o] = operands[o].steps()[at];
    }
    return new Axis(operands[0].extents()[at], steps);
  }

  private static List<Axis> merged(int count, View... operands) {
    List<Axis> axes = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Axis next = axis(i, operands);
      if (next.extent == 1) {
        continue;
      }
      if (!axes.isEmpty() && axes.getLast().continues(next)) {
        next = new Axis(axes.removeLast().extent * next.extent, next.steps);
      }
      axes.add(next);
    }
    return axes;
  }

  private static Walk of(List<Axis> axes, Axis row, int operands) {
    if (axes.size() > Parameter.OUTER_AXES) {
      throw new UnsupportedException(
          "the CUDA device walks through no " + (axes.size() + 1) + " separate axes",
          "run this node on the CPU");
    }
    int missing = Parameter.OUTER_AXES - axes.size();
    long[] extents = new long[Parameter.OUTER_AXES];
    long[][] steps = new long[operands][Parameter.OUTER_AXES];
    long rows = 1;
    for (int i = 0; i < Parameter.OUTER_AXES; i++) {
      extents[i] = i < missing ? 1 : axes.get(i - missing).extent;
      rows *= extents[i];
      for (int o = 0; o < operands; o++) {
        steps[o][i] = i < missing ? 0 : axes.get(i - missing).steps[o];
      }
    }
    return new Walk(extents, steps, Math.toIntExact(rows), Math.toIntExact(row.extent), row.steps);
  }

  /**
   * Elements from a row of the result to the next, which are all the same distance apart; the
   * kernel fills what lies beyond the columns with zeros.
   *
   * @param y the result, which is the operand of this number
   * @throws IllegalArgumentException if its rows are not evenly spaced, or not of neighbours
   */
  int pitch(View y, int operand) {
    boolean unmerged = y.rank() > 1 && columns == y.extents()[y.rank() - 1];
    long pitch = unmerged ? y.steps()[y.rank() - 2] : columns;
    long expected = pitch;
    for (int axis = Parameter.OUTER_AXES - 1; axis >= 0; axis--) {
      if (extents[axis] > 1) {
        if (steps[operand][axis] != expected) {
          throw new IllegalArgumentException(y + " is not stored row by row");
        }
        expected *= extents[axis];
      }
    }
    if (columns > 1 && step[operand] != 1 || pitch < columns) {
      throw new IllegalArgumentException(y + " has rows that are not of neighbours");
    }
    return Math.toIntExact(pitch);
  }
}
