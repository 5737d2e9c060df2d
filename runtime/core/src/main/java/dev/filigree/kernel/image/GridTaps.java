package dev.filigree.kernel.image;

import dev.filigree.Shape;
import dev.filigree.Tensor;

/**
 * The elements that a sample at some place is made of, and their weights: found once for all
 * channels. Reused from place to place, so not for more than one thread.
 */
final class GridTaps {
  /** The cubic polynomial's parameter in PyTorch, which the operator comes from. */
  private static final double BEND = -0.75;

  /** How a sample comes of the elements around it. */
  enum Mode {
    NEAREST(1),
    LINEAR(2),
    CUBIC(4);

    /** Elements along an axis. */
    final int taps;

    Mode(int taps) {
      this.taps = taps;
    }
  }

  /** What stands outside. */
  enum Padding {
    ZEROS,
    BORDER,
    REFLECTION
  }

  private final Mode mode;
  private final Padding padding;
  private final boolean aligned;

  /** Of the axes behind batch and channels. */
  private final long[] extents;

  /** By tap of an axis: the element's index, or -1 outside, and its weight. */
  private final long[][] indices;

  private final double[][] weights;

  private final long[] offsets;
  private final double[] products;
  private int count;

  /** What all sums begin with: NaN where a place is NaN or infinite. */
  private double base;

  /**
   * The taps of samples.
   *
   * @param shape of the sampled tensor {@code [batch, channels, axis, ...]}
   * @param aligned whether -1 and 1 are the centres of the outermost elements, not their edges
   */
  GridTaps(Shape shape, Mode mode, Padding padding, boolean aligned) {
    this.mode = mode;
    this.padding = padding;
    this.aligned = aligned;
    int axes = shape.rank() - 2;
    extents = new long[axes];
    for (int axis = 0; axis < axes; axis++) {
      extents[axis] = shape.extent(axis + 2);
    }
    indices = new long[axes][mode.taps];
    weights = new double[axes][mode.taps];
    int most = Math.powExact(mode.taps, axes);
    offsets = new long[most];
    products = new double[most];
  }

  /** Goes to a place of a grid {@code [batch, outAxis, ..., axes]}, counted over all of them. */
  void move(Tensor grid, long place) {
    int axes = extents.length;
    base = 0;
    for (int axis = 0; axis < axes; axis++) {
      double normal = grid.getDouble(place * axes + axes - 1 - axis);
      long extent = extents[axis];
      double at = aligned ? (normal + 1) / 2 * (extent - 1) : ((normal + 1) * extent - 1) / 2;
      base += mode == Mode.NEAREST ? 0 : at * 0;
      along(axis, at);
    }
    count = 0;
    for (int choice = 0; choice < offsets.length; choice++) {
      add(choice);
    }
  }

  /** Adds a tap of each axis, unless one of them stands outside; the last axis changes fastest. */
  private void add(int choice) {
    long offset = 0;
    double product = 1;
    int rest = choice;
    int radix = offsets.length;
    for (int axis = 0; axis < extents.length; axis++) {
      radix /= mode.taps;
      int tap = rest / radix;
      rest %= radix;
      if (indices[axis][tap] < 0) {
        return;
      }
      offset = offset * extents[axis] + indices[axis][tap];
      product *= weights[axis][tap];
    }
    offsets[count] = offset;
    products[count++] = product;
  }

  /** The sample of a channel whose elements begin at an index of a tensor. */
  double sum(Tensor x, long start) {
    double sum = base;
    for (int tap = 0; tap < count; tap++) {
      sum += products[tap] * x.getDouble(start + offsets[tap]);
    }
    return sum;
  }

  private void along(int axis, double at) {
    double whole = mode == Mode.NEAREST ? Math.rint(at) : Math.floor(at);
    // from the fraction alone: far away neighbours are one number
    double fraction = at - whole;
    int before = (mode.taps - 1) / 2;
    for (int tap = 0; tap < mode.taps; tap++) {
      double moved = moved(whole - before + tap, extents[axis]);
      boolean isInside = moved >= 0 && moved < extents[axis];
      indices[axis][tap] = isInside ? (long) moved : -1;
      weights[axis][tap] = weight(tap - before - fraction);
    }
  }

  private double moved(double place, long extent) {
    return switch (padding) {
      case ZEROS -> place;
      case BORDER -> Math.min(Math.max(place, 0), extent - 1.0);
      case REFLECTION -> reflected(place, extent);
    };
  }

  private double reflected(double place, long extent) {
    double low = aligned ? 0 : -0.5;
    double span = aligned ? extent - 1.0 : extent;
    if (span <= 0 || !Double.isFinite(place)) {
      return 0;
    }
    double within = Math.abs(place - low) % (2 * span);
    double folded = within > span ? 2 * span - within : within;
    return Math.min(Math.max(folded + low, 0), extent - 1.0);
  }

  private double weight(double distance) {
    double d = Math.abs(distance);
    return switch (mode) {
      case NEAREST -> 1;
      case LINEAR -> Math.max(0, 1 - d);
      case CUBIC ->
          d <= 1
              ? ((BEND + 2) * d - (BEND + 3)) * d * d + 1
              : ((BEND * d - 5 * BEND) * d + 8 * BEND) * d - 4 * BEND;
    };
  }
}
