package dev.filigree.cuda.plan;

import dev.filigree.Shape;
import dev.filigree.cuda.operation.Pooling.Extent;
import dev.filigree.cuda.operation.Pooling.Window;

/** Windows and extents of the graph as kernels of images take them: one spatial axis is a width. */
final class Sliding2d {
  private Sliding2d() {}

  static Window window(dev.filigree.kernel.window.Window window) {
    return new Window(
        extent(window.kernel(), 1),
        extent(window.strides(), 1),
        extent(window.before(), 0),
        extent(window.dilations(), 1));
  }

  /** Extents of the spatial axes of {@code [batch, channels, spatial...]}. */
  static Extent extent(Shape shape) {
    Shape image = ImagePlaces.image(shape);
    return new Extent((int) image.extent(1), (int) image.extent(2));
  }

  private static Extent extent(long[] values, int missing) {
    return values.length == 1
        ? new Extent(missing, Math.toIntExact(values[0]))
        : new Extent(Math.toIntExact(values[0]), Math.toIntExact(values[1]));
  }
}
