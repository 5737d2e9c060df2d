package dev.filigree.kernel;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Walks the indices of a shape in row-major order and keeps, for several operands, the element each
 * index stands for. Allocates when made and never when walked.
 */
public final class Strided {
  private final long[] extents;
  private final long[][] strides;
  private final long[] starts;
  private final long[] index;
  private final long[] offsets;
  private final long elements;

  /**
   * @param shape indices to walk
   * @param strides elements to step along each axis, for each operand
   * @param starts element of index 0, for each operand
   */
  public Strided(Shape shape, long[][] strides, long[] starts) {
    this.extents = shape.extents();
    this.strides = strides;
    this.starts = starts;
    this.index = new long[extents.length];
    this.offsets = new long[strides.length];
    this.elements = shape.elements();
  }

  /** Operands that broadcast to a shape. */
  public static Strided broadcast(Shape shape, Tensor... operands) {
    long[][] strides = new long[operands.length][];
    for (int i = 0; i < operands.length; i++) {
      strides[i] = Broadcast.strides(operands[i].shape(), shape);
    }
    return new Strided(shape, strides, new long[operands.length]);
  }

  /** One operand over some of its axes. */
  public static Strided of(List<Long> extents, List<Long> strides) {
    return new Strided(
        Shape.of(extents.stream().mapToLong(Long::longValue).toArray()),
        new long[][] {strides.stream().mapToLong(Long::longValue).toArray()},
        new long[1]);
  }

  /** What is done at each index. */
  @FunctionalInterface
  public interface Body {
    /**
     * @param i position of the index in row-major order
     * @param offsets the element of each operand; valid during the call
     */
    void at(long i, long[] offsets);
  }

  /** Visits every index. */
  public void forEach(Body body) {
    Arrays.fill(index, 0);
    System.arraycopy(starts, 0, offsets, 0, starts.length);
    for (long i = 0; i < elements; i++) {
      body.at(i, offsets);
      for (int axis = index.length - 1; axis >= 0; axis--) {
        if (++index[axis] < extents[axis]) {
          for (int o = 0; o < offsets.length; o++) {
            offsets[o] += strides[o][axis];
          }
          break;
        }
        index[axis] = 0;
        for (int o = 0; o < offsets.length; o++) {
          offsets[o] -= strides[o][axis] * (extents[axis] - 1);
        }
      }
    }
  }

  /** A kernel that copies elements of one operand, wherever they lie, into a contiguous tensor. */
  public static Kernel copy(Tensor from, long[] strides, long start, Tensor to) {
    int inner = strides.length - 1;
    if (inner < 0) {
      return () -> Elements.copy(from, start, to, 0, 1);
    }
    long length = to.shape().extent(inner);
    long step = strides[inner];
    Strided rows =
        new Strided(
            Shape.of(Arrays.copyOf(to.shape().extents(), inner)),
            new long[][] {Arrays.copyOf(strides, inner)},
            new long[] {start});
    MemorySegment x = from.data();
    MemorySegment y = to.data();
    Body body =
        step == 1
            ? (i, offsets) -> Elements.copy(from, offsets[0], to, i * length, length)
            : switch (to.dtype().bytes()) {
              case 4 -> (i, offsets) -> row4(x, offsets[0], step, y, i * length, length);
              case 8 -> (i, offsets) -> row8(x, offsets[0], step, y, i * length, length);
              case 2 -> (i, offsets) -> row2(x, offsets[0], step, y, i * length, length);
              default -> (i, offsets) -> row1(x, offsets[0], step, y, i * length, length);
            };
    return () -> rows.forEach(body);
  }

  private static void row8(
      MemorySegment x, long at, long step, MemorySegment y, long into, long count) {
    for (long i = 0; i < count; i++) {
      y.set(DType.LONG, (into + i) * 8, x.get(DType.LONG, (at + i * step) * 8));
    }
  }

  private static void row4(
      MemorySegment x, long at, long step, MemorySegment y, long into, long count) {
    for (long i = 0; i < count; i++) {
      y.set(DType.INT, (into + i) * 4, x.get(DType.INT, (at + i * step) * 4));
    }
  }

  private static void row2(
      MemorySegment x, long at, long step, MemorySegment y, long into, long count) {
    for (long i = 0; i < count; i++) {
      y.set(DType.SHORT, (into + i) * 2, x.get(DType.SHORT, (at + i * step) * 2));
    }
  }

  private static void row1(
      MemorySegment x, long at, long step, MemorySegment y, long into, long count) {
    for (long i = 0; i < count; i++) {
      y.set(DType.BYTE, into + i, x.get(DType.BYTE, at + i * step));
    }
  }
}
