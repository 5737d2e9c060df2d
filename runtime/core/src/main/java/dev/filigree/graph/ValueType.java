package dev.filigree.graph;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * What is known of a value before it is computed: type, extents, and for the small integer tensors
 * that carry shapes also the elements.
 *
 * @param dtype element type
 * @param dims extents, outermost first
 * @param content the elements in row-major order where they are known, else null
 * @param reals the elements of a small constant of floats, such as the scales of a Resize, else
 *     null
 */
public record ValueType(DType dtype, List<Dim> dims, List<Dim> content, List<Double> reals) {
  /** Elements up to which contents are followed; shapes are far smaller. */
  private static final int MAX_CONTENT = 64;

  public ValueType {
    dims = List.copyOf(dims);
    content = content == null || content.size() > MAX_CONTENT ? null : stored(dtype, content);
    reals = reals == null ? null : List.copyOf(reals);
  }

  /** A value none of whose elements are floats that are known. */
  public ValueType(DType dtype, List<Dim> dims, List<Dim> content) {
    this(dtype, dims, content, null);
  }

  /** Elements as the type stores them: narrower types wrap, a symbol is taken to fit 32 bits. */
  private static List<Dim> stored(DType dtype, List<Dim> content) {
    return switch (dtype) {
      case I64 -> List.copyOf(content);
      case I32 ->
          content.stream().map(dim -> dim.isKnown() ? Dim.of((int) dim.value()) : dim).toList();
      case I8, U8, I16, U16, U32, BOOL -> {
        if (!content.stream().allMatch(Dim::isKnown)) {
          yield null;
        }
        yield content.stream().map(dim -> Dim.of(narrow(dtype, dim.value()))).toList();
      }
      default -> null;
    };
  }

  private static long narrow(DType dtype, long value) {
    return switch (dtype) {
      case I8 -> (byte) value;
      case U8 -> value & 0xff;
      case I16 -> (short) value;
      case U16 -> value & 0xffff;
      case U32 -> value & 0xffff_ffffL;
      default -> value == 0 ? 0 : 1;
    };
  }

  public static ValueType of(DType dtype, List<Dim> dims) {
    return new ValueType(dtype, dims, null);
  }

  public static ValueType of(DType dtype, Shape shape) {
    return of(dtype, dims(shape));
  }

  /** The type of a tensor, with its content if it is a small one. */
  public static ValueType of(Tensor tensor) {
    List<Dim> content = null;
    if (tensor.dtype().isFloating() && tensor.elements() <= MAX_CONTENT) {
      List<Double> reals = new ArrayList<>();
      Tensor source = tensor.contiguous();
      for (long i = 0; i < tensor.elements(); i++) {
        reals.add(source.getDouble(i));
      }
      return new ValueType(tensor.dtype(), dims(tensor.shape()), null, reals);
    }
    if (!tensor.dtype().isFloating() && tensor.elements() <= MAX_CONTENT) {
      content = new ArrayList<>();
      for (long element : tensor.toLongs()) {
        content.add(Dim.of(element));
      }
    }
    return new ValueType(tensor.dtype(), dims(tensor.shape()), content);
  }

  /** A one-dimensional i64 tensor with this content. */
  public static ValueType vector(List<Dim> content) {
    return new ValueType(DType.I64, List.of(Dim.of(content.size())), content);
  }

  /** A shape's extents as dims. */
  public static List<Dim> dims(Shape shape) {
    List<Dim> dims = new ArrayList<>();
    for (long extent : shape.extents()) {
      dims.add(Dim.of(extent));
    }
    return dims;
  }

  public int rank() {
    return dims.size();
  }

  /** Extent of an axis; -1 is the last. */
  public Dim dim(int axis) {
    return dims.get(axis < 0 ? axis + dims.size() : axis);
  }

  /** Whether every extent is known. */
  public boolean isConcrete() {
    return areKnown(dims);
  }

  /** Whether every element is known. */
  public boolean hasKnownContent() {
    return content != null && areKnown(content);
  }

  private static boolean areKnown(List<Dim> all) {
    for (int i = 0; i < all.size(); i++) {
      if (!all.get(i).isKnown()) {
        return false;
      }
    }
    return true;
  }

  /** Whether every extent and element is known, floats included. */
  public boolean isKnown() {
    return isSmall() && (hasKnownContent() || reals != null);
  }

  /** Whether so few elements are in it that they are followed. */
  public boolean isSmall() {
    long elements = 1;
    for (Dim dim : dims) {
      if (!dim.isKnown() || dim.value() < 0 || dim.value() > MAX_CONTENT) {
        return false;
      }
      elements = Math.min(elements * dim.value(), MAX_CONTENT + 1L);
    }
    return elements <= MAX_CONTENT;
  }

  /** The shape, when every extent is known. */
  public Shape shape() {
    long[] extents = new long[dims.size()];
    for (int axis = 0; axis < extents.length; axis++) {
      extents[axis] = dims.get(axis).value();
    }
    return Shape.of(extents);
  }

  /** The tensor, when every extent and element is known. */
  public Tensor tensor() {
    Tensor tensor = Tensor.zeros(dtype, shape());
    for (int i = 0; reals != null && i < reals.size(); i++) {
      tensor.setDouble(i, reals.get(i));
    }
    for (int i = 0; content != null && i < content.size(); i++) {
      tensor.setLong(i, content.get(i).value());
    }
    return tensor;
  }

  /** The same type with other extents. */
  public ValueType withDims(List<Dim> other) {
    return new ValueType(dtype, other, content, reals);
  }

  /** For example {@code f32[batch, seq, 384]}. */
  @Override
  public String toString() {
    return dtype + dims.toString();
  }
}
