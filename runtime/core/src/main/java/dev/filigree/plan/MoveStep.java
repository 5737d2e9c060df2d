package dev.filigree.plan;

import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.kernel.Kernel;
import dev.filigree.kernel.Strided;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Copies elements of a row-major value, wherever they lie, into another: axes in another order,
 * ranges of them, or repeated. Divided along the first axis.
 *
 * @param start element that becomes the first
 * @param strides elements of x to step along each axis of y
 * @param y of the same type, not empty
 */
record MoveStep(Slot x, long start, long[] strides, Slot y) implements Step {
  /** Parts that the first axis is divided in for threads. */
  private static final long PARTS = 16;

  @Override
  public BoundStep bind(Workspace workspace) {
    MemorySegment memory = workspace.memory();
    Tensor from = x.tensor(memory);
    Joined joined = joined(y.shape(), strides);
    long extent = joined.extents[0];
    long each = Math.ceilDiv(extent, PARTS);
    long size = y.shape().elements() / extent;
    int bytes = y.dtype().bytes();
    List<Kernel> parts = new ArrayList<>();
    for (long first = 0; first < extent; first += each) {
      long[] extents = joined.extents.clone();
      extents[0] = Math.min(each, extent - first);
      Shape shape = Shape.of(extents);
      long at = y.offset() + first * size * bytes;
      Tensor to = Tensor.of(y.dtype(), shape, memory.asSlice(at, extents[0] * size * bytes));
      long begin = start + first * joined.strides[0];
      parts.add(Strided.copy(from, joined.strides, begin, to));
    }
    Kernel[] kernels = parts.toArray(Kernel[]::new);
    return PlaneSteps.over(
        kernels.length, y.shape().elements(), (item, worker) -> kernels[item].run());
  }

  private record Joined(long[] extents, long[] strides) {}

  /** Joins axes that x runs through as one, so that rows are long; at least one axis is left. */
  private static Joined joined(Shape shape, long[] strides) {
    long[] extents = new long[Math.max(1, shape.rank())];
    long[] steps = new long[extents.length];
    extents[0] = 1;
    int axes = 0;
    for (int axis = 0; axis < shape.rank(); axis++) {
      long extent = shape.extent(axis);
      if (extent == 1) {
        continue;
      }
      if (axes > 0 && steps[axes - 1] == strides[axis] * extent) {
        axes--;
        extent *= extents[axes];
      }
      extents[axes] = extent;
      steps[axes++] = strides[axis];
    }
    int left = Math.max(1, axes);
    return new Joined(Arrays.copyOf(extents, left), Arrays.copyOf(steps, left));
  }
}
