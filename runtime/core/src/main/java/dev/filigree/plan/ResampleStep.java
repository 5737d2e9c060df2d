package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.kernel.image.Taps;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Resamples the rows and columns of f32 planes by the taps of both axes. A row of the input is
 * resampled across once and kept while rows of the result are made of it; sums are in double and in
 * the order of the reference, whose bits the result has.
 *
 * @param x planes {@code [outer, height, width]}
 * @param y planes {@code [outer, rows, columns]}
 * @param outer number of planes
 * @param down what each row of the result is made of
 * @param across what each column of the result is made of
 */
record ResampleStep(Slot x, Slot y, int outer, Axis down, Axis across) implements Step {
  /**
   * The taps of an axis in a row, as many for each element of the result.
   *
   * @param from extent of the input
   * @param count taps of an element
   * @param elements of the input, {@code [result, count]}
   * @param weights of those elements
   */
  record Axis(int from, int count, int[] elements, double[] weights) {
    /** The taps; null where elements have different numbers of them or lie outside. */
    static Axis of(long from, Taps taps) {
      int[][] elements = taps.elements();
      if (elements.length == 0 || elements[0] == null) {
        return null;
      }
      int count = elements[0].length;
      int[] all = new int[elements.length * count];
      double[] weights = new double[all.length];
      for (int i = 0; i < elements.length; i++) {
        if (elements[i] == null || elements[i].length != count) {
          return null;
        }
        System.arraycopy(elements[i], 0, all, i * count, count);
        System.arraycopy(taps.weights()[i], 0, weights, i * count, count);
      }
      return new Axis(Math.toIntExact(from), count, all, weights);
    }

    /** Every element stays itself. */
    static Axis same(int extent) {
      int[] elements = new int[extent];
      Arrays.setAll(elements, i -> i);
      return new Axis(extent, 1, elements, new double[extent]);
    }

    /** Whether every element stays itself. */
    boolean isSame() {
      return to() == from && repeats();
    }

    /** Whether every element of the input is there equally often, one after the other. */
    boolean repeats() {
      if (!picks() || to() % from != 0) {
        return false;
      }
      int times = to() / from;
      for (int i = 0; i < elements.length; i++) {
        if (elements[i] != i / times) {
          return false;
        }
      }
      return true;
    }

    int to() {
      return elements.length / count;
    }

    /** Whether each element of the result is one of the input. */
    boolean picks() {
      return count == 1;
    }
  }

  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    return PlaneSteps.over(outer, y.shape().elements(), (plane, worker) -> plane(memory, plane));
  }

  private void plane(MemorySegment memory, int plane) {
    int width = across.from();
    int columns = across.to();
    long from = x.offset() + (long) plane * down.from() * width * Float.BYTES;
    long to = y.offset() + (long) plane * down.to() * columns * Float.BYTES;
    double[] given = new double[width];
    // rows that neighbouring results share differ by less than the taps, so each has a place
    double[][] rows = new double[down.count()][columns];
    int[] held = new int[down.count()];
    Arrays.fill(held, -1);
    double[] sums = new double[columns];
    for (int row = 0; row < down.to(); row++, to += (long) columns * Float.BYTES) {
      Arrays.fill(sums, 0);
      double[] result = sums;
      for (int tap = 0; tap < down.count(); tap++) {
        int element = down.elements()[row * down.count() + tap];
        int place = element % rows.length;
        if (held[place] != element) {
          across(memory, from + (long) element * width * Float.BYTES, given, rows[place]);
          held[place] = element;
        }
        if (down.picks()) {
          result = rows[place];
        } else {
          add(rows[place], down.weights()[row * down.count() + tap], sums);
        }
      }
      for (int column = 0; column < columns; column++) {
        memory.set(DType.FLOAT, to + (long) column * Float.BYTES, (float) result[column]);
      }
    }
  }

  /** Resamples a row of the input. */
  private void across(MemorySegment memory, long from, double[] given, double[] row) {
    for (int column = 0; column < given.length; column++) {
      given[column] = memory.get(DType.FLOAT, from + (long) column * Float.BYTES);
    }
    int[] elements = across.elements();
    double[] weights = across.weights();
    int count = across.count();
    if (across.picks()) {
      for (int column = 0; column < row.length; column++) {
        row[column] = given[elements[column]];
      }
      return;
    }
    for (int column = 0, at = 0; column < row.length; column++) {
      double sum = 0;
      for (int tap = 0; tap < count; tap++, at++) {
        sum += weights[at] * given[elements[at]];
      }
      row[column] = sum;
    }
  }

  private static void add(double[] row, double weight, double[] sums) {
    for (int column = 0; column < sums.length; column++) {
      sums[column] += weight * row[column];
    }
  }
}
