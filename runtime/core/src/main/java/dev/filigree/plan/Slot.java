package dev.filigree.plan;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.spi.Panels;
import java.lang.foreign.MemorySegment;

/**
 * Where a plan keeps a value.
 *
 * @param dtype element type
 * @param shape as the graph sees it
 * @param layout how it lies there
 * @param panels its panels, null in row-major order
 * @param buffer the memory, shared by values that are views of each other
 */
record Slot(DType dtype, Shape shape, Layout layout, Panels panels, Buffer buffer) {
  long offset() {
    return buffer.offset();
  }

  /** Extent of the last axis; 1 for a scalar. */
  int features() {
    return shape.rank() == 0 ? 1 : (int) shape.extent(-1);
  }

  /** Elements that lie one after the other, padding included. */
  long length() {
    return panels == null ? shape.elements() : panels.bytes(features()) / Float.BYTES;
  }

  /** Whether its panels leave out tokens of the shape: see {@link Ragged}. */
  boolean isRagged() {
    return panels != null && (long) panels.tokens() * features() != shape.elements();
  }

  /** The value in a workspace's memory; only in row-major order. */
  Tensor tensor(MemorySegment memory) {
    return Tensor.of(dtype, shape, memory.asSlice(offset(), Tensor.byteSize(dtype, shape)));
  }

  /** Whether another one is the same memory, seen in the same way. */
  boolean isAlike(Slot other) {
    return buffer == other.buffer && layout == other.layout && shape.equals(other.shape);
  }

  /** The same memory under another shape. */
  Slot as(Shape other) {
    return new Slot(dtype, other, layout, panels, buffer);
  }
}
