package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.Constant;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads a SparseTensorProto into a plain tensor, zeros in place: values {@code [stored]} and the
 * indices of each, either positions in row-major order {@code [stored]} or one index an axis {@code
 * [stored, rank]}, ascending. Whether the layer is worth a sparse kernel is decided later, from its
 * zeros and not from how the file writes them down.
 */
final class SparseTensorReader {
  /**
   * Elements for each one that is stored: a small file must not claim more memory than any model
   * needs. A tensor sparser than this says nothing that is worth a layer.
   */
  private static final long MAX_ELEMENTS_PER_VALUE = 100_000;

  private static final int MAX_RANK = 64;

  private SparseTensorReader() {}

  /**
   * Reads the message.
   *
   * @param source the file named in messages
   * @param outside finds data the tensor keeps elsewhere
   * @return the tensor under the name of its values
   */
  static TensorReader.Named read(String source, ProtoReader message, ExternalData outside) {
    TensorReader.Named values = null;
    Tensor indices = null;
    List<Long> dims = new ArrayList<>();
    while (message.next()) {
      switch (message.field()) {
        case 1 -> values = TensorReader.read(source, message.message(), outside);
        case 2 ->
            indices = TensorReader.read(source, message.message(), outside).constant().toTensor();
        case 3 ->
            message.numbers(
                dim -> {
                  if (dims.size() == MAX_RANK) {
                    throw message.damaged("has a sparse tensor of more than " + MAX_RANK + " axes");
                  }
                  dims.add(dim);
                });
        default -> message.skip();
      }
    }
    if (values == null || indices == null) {
      throw message.damaged("has a sparse tensor without values or indices");
    }
    String place = source + ": sparse initializer '" + values.name() + "'";
    Tensor stored = values.constant().toTensor();
    Shape shape = shape(place, dims, stored);
    return new TensorReader.Named(
        values.name(), new Constant.Plain(dense(place, stored, indices, shape)), values.type());
  }

  /** The name under which the message's tensor is known. */
  static String name(ProtoReader message) {
    while (message.next()) {
      if (message.field() == 1) {
        ProtoReader values = message.message();
        while (values.next()) {
          if (values.field() == 8) {
            return values.text();
          }
          values.skip();
        }
        return "";
      }
      message.skip();
    }
    return "";
  }

  private static Shape shape(String place, List<Long> dims, Tensor stored) {
    try {
      Shape shape = Shape.of(dims.stream().mapToLong(Long::longValue).toArray());
      long most = (stored.elements() + 1) * MAX_ELEMENTS_PER_VALUE;
      if (stored.shape().rank() != 1
          || shape.elements() > most
          || Tensor.byteSize(stored.dtype(), shape) > Integer.MAX_VALUE - 8) {
        throw damaged(place, "has the shape " + shape + " with stored values " + stored.shape());
      }
      return shape;
    } catch (InputException impossible) {
      throw damaged(place, "has an impossible shape " + dims);
    }
  }

  private static Tensor dense(String place, Tensor stored, Tensor indices, Shape shape) {
    long count = stored.elements();
    int rank = shape.rank();
    boolean linear = indices.shape().rank() == 1;
    boolean fits =
        indices.dtype() == DType.I64
            && indices.shape().equals(linear ? Shape.of(count) : Shape.of(count, rank));
    if (!fits) {
      throw damaged(place, "has indices " + indices + " for values " + stored.shape());
    }
    Tensor dense = Tensor.zeros(stored.dtype(), shape);
    int bytes = stored.dtype().bytes();
    long[] strides = shape.strides();
    long before = -1;
    for (long i = 0; i < count; i++) {
      long at = linear ? indices.getLong(i) : 0;
      for (int axis = 0; !linear && axis < rank; axis++) {
        long index = indices.getLong(i * rank + axis);
        if (index < 0 || index >= shape.extent(axis)) {
          throw damaged(place, "has the index " + index + " on axis " + axis + " of " + shape);
        }
        at += index * strides[axis];
      }
      if (at <= before || at >= shape.elements()) {
        throw damaged(
            place, "puts value " + i + " at position " + at + " after position " + before);
      }
      before = at;
      MemorySegment.copy(stored.data(), i * bytes, dense.data(), at * bytes, bytes);
    }
    return dense;
  }

  private static FormatException damaged(String place, String problem) {
    return new FormatException(place + " " + problem, "export the model again");
  }
}
