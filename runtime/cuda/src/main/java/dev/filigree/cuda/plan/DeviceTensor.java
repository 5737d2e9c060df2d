package dev.filigree.cuda.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.cuda.operation.Rows;
import dev.filigree.cuda.operation.View;
import dev.filigree.plan.Buffer;

/**
 * Where a value lies on the device: rows of its last axis, a pitch apart, in the activation arena
 * of a workspace, or as a constant at an address of its own.
 *
 * @param dtype element type on the device: floats of the graph are f16, or f32 where they must be
 * @param shape of the value
 * @param pitch elements from one row to the next
 * @param buffer place in the arena; null for a constant
 * @param constant address of a constant
 */
record DeviceTensor(DType dtype, Shape shape, int pitch, Buffer buffer, long constant) {
  /** Elements of the last axis. */
  int columns() {
    return columns(shape);
  }

  static int columns(Shape shape) {
    return shape.rank() == 0 ? 1 : Math.toIntExact(shape.extent(-1));
  }

  /** Rows of the last axis. */
  long rows() {
    int columns = columns();
    return columns == 0 ? 0 : shape.elements() / columns;
  }

  /** Bytes it takes. */
  long bytes() {
    return bytes(dtype, shape, pitch);
  }

  static long bytes(DType dtype, Shape shape, int pitch) {
    int columns = columns(shape);
    long rows = columns == 0 ? 0 : shape.elements() / columns;
    return Math.multiplyExact(rows, (long) pitch * dtype.bytes());
  }

  /** Whether no row has padding. */
  boolean isContiguous() {
    return pitch == columns() || rows() <= 1;
  }

  /** The same memory under another shape of the same rows, or of other rows without padding. */
  DeviceTensor as(Shape other, int otherPitch) {
    return new DeviceTensor(dtype, other, otherPitch, buffer, constant);
  }

  /**
   * Its address.
   *
   * @param arena start of the activation arena
   */
  long address(long arena) {
    return buffer == null ? constant : arena + buffer.offset();
  }

  Rows on(long arena) {
    return new Rows(address(arena), dtype, rows(), columns(), pitch);
  }

  View view(long arena) {
    return View.of(address(arena), dtype, shape, pitch);
  }
}
