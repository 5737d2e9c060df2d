package dev.filigree;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * An n-dimensional array over a memory segment: on the heap, off the heap, or in a mapped file. The
 * tensor does not own the memory; whoever made the segment decides how long it lives. Reading from
 * many threads is safe as long as nobody writes.
 */
public final class Tensor {
  private final DType dtype;
  private final Shape shape;
  private final long[] strides;
  private final MemorySegment data;

  private Tensor(DType dtype, Shape shape, long[] strides, MemorySegment data) {
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.data = data;
  }

  /**
   * A row-major tensor over the whole of a segment.
   *
   * @throws InputException if the segment's size is not that of the shape
   */
  public static Tensor of(DType dtype, Shape shape, MemorySegment data) {
    long bytes = byteSize(dtype, shape);
    if (data.byteSize() != bytes) {
      throw new InputException(
          "a tensor " + dtype + shape + " takes " + bytes + " bytes but got " + data.byteSize(),
          "pass a segment of exactly that size");
    }
    return new Tensor(dtype, shape, shape.strides(), data);
  }

  /** A row-major f32 tensor over an array, which is shared and not copied. */
  public static Tensor of(float[] values, long... extents) {
    return of(DType.F32, Shape.of(extents), MemorySegment.ofArray(values));
  }

  /** A row-major i64 tensor over an array, which is shared and not copied. */
  public static Tensor of(long[] values, long... extents) {
    return of(DType.I64, Shape.of(extents), MemorySegment.ofArray(values));
  }

  /** A row-major i32 tensor over an array, which is shared and not copied. */
  public static Tensor of(int[] values, long... extents) {
    return of(DType.I32, Shape.of(extents), MemorySegment.ofArray(values));
  }

  /**
   * A tensor of zeros on the heap, or off it where the type asks for more bytes than an array
   * holds.
   */
  public static Tensor zeros(DType dtype, Shape shape) {
    long bytes = byteSize(dtype, shape);
    if (bytes > Integer.MAX_VALUE - 16) {
      return new Tensor(
          dtype, shape, shape.strides(), Arena.ofAuto().allocate(bytes, dtype.bytes()));
    }
    MemorySegment data =
        switch (dtype) {
          case F64 -> MemorySegment.ofArray(new double[(int) (bytes / 8)]);
          case F32 -> MemorySegment.ofArray(new float[(int) (bytes / 4)]);
          case I32, U32 -> MemorySegment.ofArray(new int[(int) (bytes / 4)]);
          case I64, U64 -> MemorySegment.ofArray(new long[(int) (bytes / 8)]);
          case F16, BF16, I16, U16 -> MemorySegment.ofArray(new short[(int) (bytes / 2)]);
          case I8, U8, BOOL -> MemorySegment.ofArray(new byte[(int) bytes]);
        };
    return new Tensor(dtype, shape, shape.strides(), data);
  }

  /** A row-major tensor in memory from an allocator, contents as the allocator gives them. */
  public static Tensor allocate(SegmentAllocator allocator, DType dtype, Shape shape) {
    return new Tensor(
        dtype, shape, shape.strides(), allocator.allocate(byteSize(dtype, shape), dtype.bytes()));
  }

  /** Bytes of a row-major tensor. */
  public static long byteSize(DType dtype, Shape shape) {
    try {
      return Math.multiplyExact(shape.elements(), dtype.bytes());
    } catch (ArithmeticException overflow) {
      throw new InputException(
          "a tensor " + dtype + shape + " does not fit memory", "check its extents");
    }
  }

  public DType dtype() {
    return dtype;
  }

  public Shape shape() {
    return shape;
  }

  /** Elements to step along each axis, outermost first. */
  public long[] strides() {
    return strides.clone();
  }

  /** Elements to step along one axis. */
  public long stride(int axis) {
    return strides[axis];
  }

  /** The memory; its first byte is the element at index 0 of every axis. */
  public MemorySegment data() {
    return data;
  }

  /** Number of elements. */
  public long elements() {
    return shape.elements();
  }

  /** Bytes of the elements, without what lies between them in a strided view. */
  public long bytes() {
    return byteSize(dtype, shape);
  }

  /** Whether the elements lie one after the other in row-major order. */
  public boolean isContiguous() {
    long expected = 1;
    for (int axis = strides.length - 1; axis >= 0; axis--) {
      if (shape.extent(axis) != 1 && strides[axis] != expected) {
        return shape.elements() == 0;
      }
      expected *= shape.extent(axis);
    }
    return true;
  }

  /**
   * The same elements with the axes in another order; a view.
   *
   * @param order for each axis of the view, the axis of this tensor
   * @throws InputException if it does not name every axis once
   */
  public Tensor permute(int... order) {
    int[] sorted = order.clone();
    Arrays.sort(sorted);
    if (!Arrays.equals(sorted, IntStream.range(0, shape.rank()).toArray())) {
      throw new InputException(
          "axes " + Arrays.toString(order) + " are no order of those of " + this,
          "name each axis from 0 to " + (shape.rank() - 1) + " once");
    }
    long[] extents = new long[order.length];
    long[] moved = new long[order.length];
    for (int axis = 0; axis < order.length; axis++) {
      extents[axis] = shape.extent(order[axis]);
      moved[axis] = strides[order[axis]];
    }
    return new Tensor(dtype, Shape.of(extents), moved, data);
  }

  /**
   * The same elements under another shape; a view.
   *
   * @throws InputException if the number of elements differs or this is a strided view
   */
  public Tensor reshape(Shape other) {
    if (other.elements() != shape.elements() || !isContiguous()) {
      throw new InputException(
          "a tensor " + this + " cannot be seen as " + other,
          "the number of elements must be the same and the tensor contiguous");
    }
    return new Tensor(dtype, other, other.strides(), data);
  }

  /** This tensor if it is row-major, else a row-major copy on the heap. */
  public Tensor contiguous() {
    if (isContiguous()) {
      return this;
    }
    Tensor copy = zeros(dtype, shape);
    long[] index = new long[shape.rank()];
    int bytes = dtype.bytes();
    for (long i = 0, n = shape.elements(); i < n; i++) {
      MemorySegment.copy(data, offset(index) * bytes, copy.data, i * bytes, bytes);
      for (int axis = index.length - 1; axis >= 0 && ++index[axis] == shape.extent(axis); axis--) {
        index[axis] = 0;
      }
    }
    return copy;
  }

  private long offset(long[] index) {
    long offset = 0;
    for (int axis = 0; axis < index.length; axis++) {
      offset += index[axis] * strides[axis];
    }
    return offset;
  }

  /** The i-th element in row-major order as a double; the tensor must be contiguous. */
  public double getDouble(long i) {
    return dtype.readDouble(data, i * dtype.bytes());
  }

  /** The i-th element in row-major order as a long; the tensor must be contiguous. */
  public long getLong(long i) {
    return dtype.readLong(data, i * dtype.bytes());
  }

  /** Stores the i-th element in row-major order; the tensor must be contiguous. */
  public void setDouble(long i, double value) {
    dtype.writeDouble(data, i * dtype.bytes(), value);
  }

  /** Stores the i-th element in row-major order; the tensor must be contiguous. */
  public void setLong(long i, long value) {
    dtype.writeLong(data, i * dtype.bytes(), value);
  }

  /** The elements in row-major order, converted to float. */
  public float[] toFloats() {
    Tensor source = contiguous();
    float[] values = new float[Math.toIntExact(elements())];
    if (dtype == DType.F32) {
      MemorySegment.copy(source.data, DType.FLOAT, 0, values, 0, values.length);
    } else {
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) source.getDouble(i);
      }
    }
    return values;
  }

  /** The elements in row-major order, converted to long. */
  public long[] toLongs() {
    Tensor source = contiguous();
    long[] values = new long[Math.toIntExact(elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = source.getLong(i);
    }
    return values;
  }

  /** Copies the elements in row-major order into a tensor of the same type and shape. */
  public void copyTo(Tensor target) {
    if (target.dtype != dtype || !target.shape.equals(shape) || !target.isContiguous()) {
      throw new InputException(
          "a tensor " + this + " cannot be copied into " + target,
          "type and shape must be the same and the target contiguous");
    }
    MemorySegment.copy(contiguous().data, 0, target.data, 0, bytes());
  }

  /** Type and shape, for example {@code f32[2, 384]}. */
  @Override
  public String toString() {
    return dtype
        + shape.toString()
        + (isContiguous() ? "" : " strides " + Arrays.toString(strides));
  }
}
