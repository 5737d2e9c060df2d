package dev.filigree.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrayAdapter;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.index.dim.NDIndexAll;
import ai.djl.ndarray.index.dim.NDIndexElement;
import ai.djl.ndarray.index.dim.NDIndexFixed;
import ai.djl.ndarray.index.dim.NDIndexSlice;
import ai.djl.ndarray.internal.NDArrayEx;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.filigree.DType;
import dev.filigree.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A dense array in host memory. It can be reshaped, stacked, joined, split, cut, repeated and
 * converted: what DJL's batchifiers, its wire formats and translators of plain models need.
 * Anything else throws an {@link UnsupportedOperationException} that names the call.
 */
final class HostArray extends NDArrayAdapter {
  private ByteBuffer data;

  /**
   * @param data direct, {@code shape.size()} elements from its start
   */
  HostArray(HostManager manager, ByteBuffer data, Shape shape, DataType type) {
    super(manager, null, shape, type, NDManager.nextUid());
    this.data = data;
    manager.attachInternal(uid, this);
  }

  @Override
  public ByteBuffer toByteBuffer(boolean tryDirect) {
    requireOpen();
    return data.duplicate().rewind().order(ByteOrder.nativeOrder());
  }

  /** The same memory as a tensor; valid as long as this array. */
  Tensor tensor() {
    return Tensor.of(
        DataTypes.of(dataType),
        dev.filigree.Shape.of(shape.getShape()),
        MemorySegment.ofBuffer(toByteBuffer(true)));
  }

  void fill(double value) {
    Tensor tensor = tensor();
    for (long i = 0; i < tensor.elements(); i++) {
      tensor.setDouble(i, value);
    }
  }

  private void requireOpen() {
    // the getter tells whether the array was closed
    getShape();
  }

  @Override
  public void intern(NDArray replaced) {
    HostArray other = (HostArray) replaced;
    data = other.data;
    shape = other.shape;
    dataType = other.dataType;
    replaced.close();
  }

  @Override
  public void detach() {
    manager.detachInternal(getUid());
    manager = HostManager.SYSTEM;
  }

  @Override
  public void close() {
    super.close();
    data = null;
  }

  @Override
  public NDArray duplicate() {
    ByteBuffer copy = manager.allocateDirect(data.capacity());
    copy.put(toByteBuffer(true)).rewind();
    return named(copy, shape, dataType);
  }

  private HostArray named(ByteBuffer bytes, Shape of, DataType type) {
    HostArray array = (HostArray) manager.create(bytes, of, type);
    array.setName(getName());
    return array;
  }

  @Override
  public NDArray toType(DataType type, boolean copy) {
    if (type == dataType) {
      return copy ? duplicate() : this;
    }
    HostArray converted = (HostArray) manager.zeros(shape, type);
    converted.setName(getName());
    Tensor from = tensor();
    Tensor to = converted.tensor();
    boolean whole = !from.dtype().isFloating() && !to.dtype().isFloating();
    for (long i = 0; i < from.elements(); i++) {
      if (to.dtype() == DType.BOOL) {
        to.setLong(i, from.getDouble(i) != 0 ? 1 : 0);
      } else if (whole) {
        to.setLong(i, from.getLong(i));
      } else if (to.dtype().isFloating()) {
        to.setDouble(i, from.getDouble(i));
      } else {
        to.setLong(i, (long) from.getDouble(i));
      }
    }
    return converted;
  }

  @Override
  public NDArray reshape(Shape newShape) {
    long known = 1;
    int open = -1;
    long[] extents = newShape.getShape().clone();
    for (int axis = 0; axis < extents.length; axis++) {
      if (extents[axis] == -1 && open == -1) {
        open = axis;
      } else {
        known *= extents[axis];
      }
    }
    if (open >= 0 && known > 0) {
      extents[open] = shape.size() / known;
    }
    Shape wanted = new Shape(extents);
    if (wanted.size() != shape.size()) {
      throw new IllegalArgumentException("an array of " + shape + " cannot become " + newShape);
    }
    return named(toByteBuffer(true), wanted, dataType);
  }

  @Override
  public NDArray expandDims(int axis) {
    List<Long> extents = extents();
    extents.add(axis < 0 ? axis + extents.size() + 1 : axis, 1L);
    return named(toByteBuffer(true), shape(extents), dataType);
  }

  @Override
  public NDArray flatten() {
    return reshape(new Shape(shape.size()));
  }

  @Override
  public NDArray squeeze(int[] axes) {
    int rank = shape.dimension();
    int[] wanted = Arrays.stream(axes).map(axis -> axis < 0 ? axis + rank : axis).toArray();
    List<Long> left = new ArrayList<>();
    for (int axis = 0; axis < rank; axis++) {
      int each = axis;
      if (Arrays.stream(wanted).noneMatch(a -> a == each)) {
        left.add(shape.get(axis));
      } else if (shape.get(axis) != 1) {
        throw new IllegalArgumentException("axis " + axis + " of " + shape + " is not of extent 1");
      }
    }
    return named(toByteBuffer(true), shape(left), dataType);
  }

  private List<Long> extents() {
    List<Long> extents = new ArrayList<>();
    Arrays.stream(shape.getShape()).forEach(extents::add);
    return extents;
  }

  private static Shape shape(List<Long> extents) {
    return new Shape(extents.stream().mapToLong(Long::longValue).toArray());
  }

  // an array seen from one axis: [outer, axis, inner], the inner part in one piece

  private int outer(int axis) {
    return (int) Arrays.stream(shape.getShape(), 0, axis).reduce(1, Math::multiplyExact);
  }

  private int innerBytes(int axis) {
    long[] extents = shape.getShape();
    return (int)
        (Arrays.stream(extents, axis + 1, extents.length).reduce(1, Math::multiplyExact)
            * dataType.getNumOfBytes());
  }

  private int axis(int axis) {
    int counted = axis < 0 ? axis + shape.dimension() : axis;
    if (counted < 0 || counted >= shape.dimension()) {
      throw new IllegalArgumentException("an array of " + shape + " has no axis " + axis);
    }
    return counted;
  }

  /** Every {@code step}-th element of an axis. */
  private HostArray cut(int axis, long from, long to, long step) {
    long count = Math.max(0, Math.ceilDiv(to - from, step));
    int inner = innerBytes(axis);
    int extent = Math.toIntExact(shape.get(axis));
    List<Long> extents = extents();
    extents.set(axis, count);
    Shape left = shape(extents);
    ByteBuffer source = toByteBuffer(true);
    ByteBuffer copy =
        manager.allocateDirect(Math.toIntExact(left.size() * dataType.getNumOfBytes()));
    for (int o = 0; o < outer(axis); o++) {
      for (long i = 0; i < count; i++) {
        int at = Math.toIntExact((o * (long) extent + from + i * step) * inner);
        copy.put(source.slice(at, inner));
      }
    }
    return named(copy.rewind(), left, dataType);
  }

  @Override
  public NDList split(long sections, int axis) {
    int along = axis(axis);
    long extent = shape.get(along);
    if (sections < 1 || extent % sections != 0) {
      throw new IllegalArgumentException(
          "axis " + along + " of " + shape + " cannot be split into " + sections + " equal parts");
    }
    long each = extent / sections;
    return split(IntStream.range(1, (int) sections).mapToLong(i -> i * each).toArray(), along);
  }

  @Override
  public NDList split(long[] indices, int axis) {
    int along = axis(axis);
    NDList parts = new NDList(indices.length + 1);
    long from = 0;
    for (int i = 0; i <= indices.length; i++) {
      long to = i < indices.length ? indices[i] : shape.get(along);
      if (to < from || to > shape.get(along)) {
        throw new IllegalArgumentException(
            "axis " + along + " of " + shape + " cannot be split at " + Arrays.toString(indices));
      }
      parts.add(cut(along, from, to, 1));
      from = to;
    }
    return parts;
  }

  @Override
  public NDArray concat(NDArray other, int axis) {
    return joined(new NDList(other), axis(axis));
  }

  private HostArray joined(NDList others, int axis) {
    List<HostArray> all = new ArrayList<>(List.of(this));
    long along = shape.get(axis);
    for (NDArray other : others) {
      HostArray next = ((HostManager) manager).from(other);
      Shape fits = Shape.update(shape, axis, next.getShape().dimension() == 0 ? 0 : next.at(axis));
      if (next.getDataType() != dataType || !next.getShape().equals(fits)) {
        throw new IllegalArgumentException(
            "arrays of "
                + dataType
                + " "
                + shape
                + " and "
                + next.getDataType()
                + " "
                + next.getShape()
                + " cannot be put together along axis "
                + axis);
      }
      along += next.at(axis);
      all.add(next);
    }
    Shape whole = Shape.update(shape, axis, along);
    ByteBuffer bytes =
        manager.allocateDirect(Math.toIntExact(whole.size() * dataType.getNumOfBytes()));
    for (int o = 0; o < outer(axis); o++) {
      for (HostArray part : all) {
        int length = Math.toIntExact(part.at(axis) * part.innerBytes(axis));
        bytes.put(part.toByteBuffer(true).slice(o * length, length));
      }
    }
    return named(bytes.rewind(), whole, dataType);
  }

  private long at(int axis) {
    return axis < shape.dimension() ? shape.get(axis) : -1;
  }

  private HostArray stacked(NDList others, int axis) {
    NDList expanded = new NDList(others.size());
    for (NDArray other : others) {
      // the message of a mismatch is about the arrays the caller knows
      if (!other.getShape().equals(shape) || other.getDataType() != dataType) {
        throw new IllegalArgumentException(
            "arrays of "
                + dataType
                + " "
                + shape
                + " and "
                + other.getDataType()
                + " "
                + other.getShape()
                + " cannot be batched; pad them to one shape");
      }
      expanded.add(((HostManager) manager).from(other).expandDims(axis));
    }
    return ((HostArray) expandDims(axis))
        .joined(expanded, axis < 0 ? axis + shape.dimension() + 1 : axis);
  }

  /**
   * Repeats axes until they have the extents of a shape, as both of DJL's calls do for extent 1.
   */
  private NDArray repeated(Shape wanted) {
    HostArray result = this;
    while (result.shape.dimension() < wanted.dimension()) {
      result = (HostArray) result.expandDims(0);
    }
    for (int axis = 0; axis < wanted.dimension(); axis++) {
      long extent = result.shape.get(axis);
      long times = extent == 0 ? 0 : wanted.get(axis) / extent;
      if (extent == wanted.get(axis)) {
        continue;
      }
      if (extent != 1) {
        throw new IllegalArgumentException(
            "an array of " + shape + " cannot be repeated to " + wanted);
      }
      NDList copies = new NDList();
      for (long i = 1; i < times; i++) {
        copies.add(result);
      }
      result = times == 0 ? result.cut(axis, 0, 0, 1) : result.joined(copies, axis);
    }
    return result;
  }

  @Override
  public NDArray broadcast(Shape wanted) {
    return repeated(wanted);
  }

  @Override
  public NDArray repeat(Shape wanted) {
    return repeated(wanted);
  }

  @Override
  public NDArray get(NDManager target, NDIndex index) {
    HostArray result = this;
    List<Integer> fixed = new ArrayList<>();
    int axis = 0;
    for (NDIndexElement element : index.getIndices()) {
      long extent = axis < shape.dimension() ? shape.get(axis) : 0;
      switch (element) {
        case NDIndexAll all -> {}
        case NDIndexFixed one -> {
          long at = one.getIndex() < 0 ? one.getIndex() + extent : one.getIndex();
          if (at < 0 || at >= extent) {
            throw new IndexOutOfBoundsException(
                "an array of " + shape + " has no element " + one.getIndex() + " on axis " + axis);
          }
          result = result.cut(axis, at, at + 1, 1);
          fixed.add(axis);
        }
        case NDIndexSlice slice -> result = result.cut(axis, slice, extent);
        default -> throw unsupported("get with " + element.getClass().getSimpleName());
      }
      axis++;
    }
    NDArray found = result.squeeze(fixed.stream().mapToInt(Integer::intValue).toArray());
    // DJL's short forms name no manager: the part stays where its array is
    if (target != null) {
      found.attach(target);
    }
    return found;
  }

  private HostArray cut(int axis, NDIndexSlice slice, long extent) {
    long step = slice.getStep() == null ? 1 : slice.getStep();
    if (step < 1) {
      throw unsupported("get with a step of " + step);
    }
    long from = slice.getMin() == null ? 0 : slice.getMin();
    long to = slice.getMax() == null ? extent : slice.getMax();
    from = Math.clamp(from < 0 ? from + extent : from, 0, extent);
    to = Math.clamp(to < 0 ? to + extent : to, from, extent);
    return cut(axis, from, to, step);
  }

  private static UnsupportedOperationException unsupported(String call) {
    return new UnsupportedOperationException(
        "engine "
            + FiligreeEngine.NAME
            + " keeps arrays without algebra and has no "
            + call
            + "; compute it inside the model or in plain Java");
  }

  /**
   * DJL's static helpers reach for an internal interface of some seventy methods, of which batching
   * needs two.
   */
  @Override
  public NDArrayEx getNDArrayInternal() {
    return (NDArrayEx)
        Proxy.newProxyInstance(
            NDArrayEx.class.getClassLoader(),
            new Class<?>[] {NDArrayEx.class},
            (proxy, method, arguments) ->
                switch (method.getName()) {
                  case "stack" -> stacked((NDList) arguments[0], (int) arguments[1]);
                  case "concat" -> joined((NDList) arguments[0], axis((int) arguments[1]));
                  default -> throw unsupported(method.getName());
                });
  }
}
