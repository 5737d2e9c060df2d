package dev.filigree.cuda.operation;

import dev.filigree.DType;
import dev.filigree.Shape;
import java.util.Arrays;

/**
 * A tensor on the device as steps through memory. Slices, transpositions and broadcasts of a tensor
 * are views of it: nothing is copied.
 *
 * @param address of the element whose indices are all 0
 * @param dtype element type
 * @param extents of each axis
 * @param steps elements from one index to the next along each axis; 0 where it repeats, negative
 *     where it runs backwards
 */
public record View(long address, DType dtype, long[] extents, long[] steps) {
  public View {
    if (extents.length != steps.length) {
      throw new IllegalArgumentException(extents.length + " axes with " + steps.length + " steps");
    }
    extents = extents.clone();
    steps = steps.clone();
  }

  /** A tensor in row-major order whose rows, the last axis, are a pitch apart. */
  public static View of(long address, DType dtype, Shape shape, long pitch) {
    long[] extents = shape.extents();
    long[] steps = new long[extents.length];
    long step = 1;
    for (int axis = extents.length - 1; axis >= 0; axis--) {
      steps[axis] = step;
      step *= axis == extents.length - 1 ? pitch : extents[axis];
    }
    return new View(address, dtype, extents, steps);
  }

  /** A tensor in row-major order without padding. */
  public static View of(long address, DType dtype, Shape shape) {
    return of(address, dtype, shape, shape.rank() == 0 ? 1 : shape.extent(-1));
  }

  /** Number of axes. */
  public int rank() {
    return extents.length;
  }

  /** Axis i of the result is axis {@code order[i]} of this. */
  public View permute(int... order) {
    long[] permutedExtents = new long[order.length];
    long[] permutedSteps = new long[order.length];
    for (int axis = 0; axis < order.length; axis++) {
      permutedExtents[axis] = extents[order[axis]];
      permutedSteps[axis] = steps[order[axis]];
    }
    return new View(address, dtype, permutedExtents, permutedSteps);
  }

  /** Elements {@code start, start + step, ...} of an axis, {@code count} of them. */
  public View slice(int axis, long start, long step, long count) {
    long[] slicedExtents = extents.clone();
    long[] slicedSteps = steps.clone();
    slicedExtents[axis] = count;
    slicedSteps[axis] *= step;
    return new View(
        address + start * steps[axis] * dtype.bytes(), dtype, slicedExtents, slicedSteps);
  }

  /** Repeated along axes of extent 1, and along new ones in front, as numpy does. */
  public View broadcast(long... to) {
    long[] broadcastSteps = new long[to.length];
    for (int axis = 0; axis < extents.length; axis++) {
      int at = axis + to.length - extents.length;
      if (extents[axis] != to[at] && extents[axis] != 1) {
        throw new IllegalArgumentException(
            Arrays.toString(extents) + " does not broadcast to " + Arrays.toString(to));
      }
      broadcastSteps[at] = extents[axis] == 1 ? 0 : steps[axis];
    }
    return new View(address, dtype, to, broadcastSteps);
  }

  @Override
  public long[] extents() {
    return extents.clone();
  }

  @Override
  public long[] steps() {
    return steps.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof View view
        && address == view.address
        && dtype == view.dtype
        && Arrays.equals(extents, view.extents)
        && Arrays.equals(steps, view.steps);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(address) * 31 + Arrays.hashCode(steps);
  }

  @Override
  public String toString() {
    return "%s%s at %x, steps %s"
        .formatted(dtype, Arrays.toString(extents), address, Arrays.toString(steps));
  }
}
