package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.spi.Kernels;
import java.lang.foreign.MemorySegment;

/**
 * Logarithms of the softmax of each row. A row's softmax tells the sum of its exponentials: that of
 * the largest element is one divided by it.
 *
 * @param x {@code [rows, count]}
 * @param y of x's shape
 */
record LogSoftmaxStep(Kernels kernels, Slot x, Slot y) implements Step {
  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    int count = x.features();
    int rows = Math.toIntExact(x.length() / count);
    return PlaneSteps.over(rows, x.length(), (row, worker) -> row(memory, row, count));
  }

  private void row(MemorySegment memory, int row, int count) {
    long at = (long) row * count * Float.BYTES;
    kernels.softmax(memory, x.offset() + at, y.offset() + at, count);
    float largest = memory.get(DType.FLOAT, x.offset() + at);
    int place = 0;
    for (int i = 1; i < count; i++) {
      float value = memory.get(DType.FLOAT, x.offset() + at + (long) i * Float.BYTES);
      if (value > largest) {
        largest = value;
        place = i;
      }
    }
    double logarithm =
        Math.log(memory.get(DType.FLOAT, y.offset() + at + (long) place * Float.BYTES));
    for (long i = at; i < at + (long) count * Float.BYTES; i += Float.BYTES) {
      double shifted = (double) memory.get(DType.FLOAT, x.offset() + i) - largest;
      memory.set(DType.FLOAT, y.offset() + i, (float) (shifted + logarithm));
    }
  }
}
