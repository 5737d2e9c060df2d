package dev.filigree;

import java.util.Arrays;

/**
 * Extents of a tensor's axes, outermost first. A scalar has no axis; an axis may have extent 0.
 * Immutable and safe to share.
 */
public final class Shape {
  /** The shape of a scalar. */
  public static final Shape SCALAR = new Shape(new long[0]);

  private final long[] extents;

  private Shape(long[] extents) {
    this.extents = extents;
  }

  /**
   * The shape with the given extents, outermost first.
   *
   * @throws InputException if an extent is negative or the number of elements does not fit a long
   */
  public static Shape of(long... extents) {
    Shape shape = new Shape(extents.clone());
    long elements = 1;
    for (long extent : shape.extents) {
      if (extent < 0) {
        throw new InputException(
            "shape " + shape + " has a negative extent", "give every axis an extent of 0 or more");
      }
      try {
        // an empty axis makes the tensor empty however large the others are
        elements = Math.multiplyExact(elements, Math.max(extent, 1));
      } catch (ArithmeticException overflow) {
        throw new InputException(
            "shape " + shape + " has more elements than fit a 64-bit count", "check its extents");
      }
    }
    return shape;
  }

  /** Number of axes. */
  public int rank() {
    return extents.length;
  }

  /** Extent of an axis; -1 is the last one. */
  public long extent(int axis) {
    return extents[axis < 0 ? axis + extents.length : axis];
  }

  /** Product of the extents; 1 for a scalar. */
  public long elements() {
    long elements = 1;
    for (long extent : extents) {
      elements *= extent;
    }
    return elements;
  }

  /** The extents, outermost first, as a copy. */
  public long[] extents() {
    return extents.clone();
  }

  /** Elements to step from one index to the next along each axis of a row-major tensor. */
  public long[] strides() {
    long[] strides = new long[extents.length];
    long stride = 1;
    for (int axis = extents.length - 1; axis >= 0; axis--) {
      strides[axis] = stride;
      stride *= extents[axis];
    }
    return strides;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(extents, shape.extents);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(extents);
  }

  /** For example {@code [32, 128, 384]}. */
  @Override
  public String toString() {
    return Arrays.toString(extents);
  }
}
