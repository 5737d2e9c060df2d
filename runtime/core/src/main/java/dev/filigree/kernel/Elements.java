package dev.filigree.kernel;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.lang.foreign.MemorySegment;

/** Elements of tensors moved and filled without regard to what they mean. */
public final class Elements {
  private Elements() {}

  /** Copies elements that lie one after the other; both tensors are contiguous and of one type. */
  public static void copy(Tensor from, long at, Tensor to, long into, long count) {
    long bytes = from.dtype().bytes();
    MemorySegment.copy(from.data(), at * bytes, to.data(), into * bytes, count * bytes);
  }

  /** Sets every element to one of another tensor of the same type, or to 0 without one. */
  public static void fill(Tensor tensor, Tensor value) {
    if (value == null) {
      tensor.data().fill((byte) 0);
      return;
    }
    long elements = tensor.elements();
    if (elements > 0) {
      copy(value, 0, tensor, 0, 1);
    }
    // what is filled already fills as much again
    for (long filled = 1; filled < elements; filled *= 2) {
      copy(tensor, 0, tensor, filled, Math.min(filled, elements - filled));
    }
  }

  /** Product of the extents of some axes, from the first up to but not including the last. */
  public static long product(Shape shape, int from, int to) {
    long product = 1;
    for (int axis = from; axis < to; axis++) {
      product *= shape.extent(axis);
    }
    return product;
  }

  /**
   * Compares two elements of a tensor by value; a NaN is above all numbers.
   *
   * @return as {@link Long#compare}
   */
  public static int compare(Tensor tensor, long a, long b) {
    if (tensor.dtype().isFloating()) {
      double left = tensor.getDouble(a);
      double right = tensor.getDouble(b);
      return left == right ? 0 : Double.compare(left, right);
    }
    return tensor.dtype() == DType.U64
        ? Long.compareUnsigned(tensor.getLong(a), tensor.getLong(b))
        : Long.compare(tensor.getLong(a), tensor.getLong(b));
  }
}
