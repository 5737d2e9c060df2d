package dev.filigree.kernel;

import dev.filigree.Shape;
import dev.filigree.graph.Node;

/**
 * The lines of a row-major tensor along one axis.
 *
 * @param count of lines
 * @param length elements of a line
 * @param step elements from one of a line to the next
 */
public record Lines(long count, long length, long step) {
  /** Lines along the axis that a node's attribute names. */
  public static Lines along(Node node, Shape shape, long defaultAxis) {
    return of(shape, Axes.normalise(node, node.intAttribute("axis", defaultAxis), shape.rank()));
  }

  /** Lines along an axis. */
  public static Lines of(Shape shape, int axis) {
    long inner = Elements.product(shape, axis + 1, shape.rank());
    return new Lines(Elements.product(shape, 0, axis) * inner, shape.extent(axis), inner);
  }

  /** First element of a line. */
  public long start(long line) {
    return line / step * step * length + line % step;
  }
}
