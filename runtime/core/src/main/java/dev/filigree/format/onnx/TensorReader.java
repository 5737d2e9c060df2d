package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.graph.Constant;
import dev.filigree.graph.OnnxTypes;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** Reads a TensorProto. Raw data stays where it lies; values listed one by one are copied. */
final class TensorReader {
  private static final int EXTERNAL = 1;

  /** More axes than any model has; keeps a damaged file from claiming millions. */
  private static final int MAX_RANK = 64;

  private final String source;
  private String name = "";
  private long[] dims = new long[0];
  private long type;
  private MemorySegment raw;
  private MemorySegment listed;
  private long listedBytes;
  private boolean external;
  private final Map<String, String> entries = new HashMap<>();

  private TensorReader(String source) {
    this.source = source;
  }

  /**
   * A constant and its name.
   *
   * @param type ONNX's number of the type in the file, which may be narrower than the constant's
   */
  record Named(String name, Constant constant, long type) {}

  /**
   * Reads the message.
   *
   * @param source the file named in messages
   * @param outside finds data the tensor keeps elsewhere
   */
  static Named read(String source, ProtoReader message, ExternalData outside) {
    TensorReader tensor = new TensorReader(source);
    tensor.fields(message);
    return new Named(tensor.name, tensor.constant(outside), tensor.type);
  }

  private void fields(ProtoReader message) {
    while (message.next()) {
      switch (message.field()) {
        case 1 ->
            message.numbers(
                dim -> {
                  if (dims.length == MAX_RANK) {
                    throw message.damaged("has a tensor of more than " + MAX_RANK + " axes");
                  }
                  dims = Arrays.copyOf(dims, dims.length + 1);
                  dims[dims.length - 1] = dim;
                });
        case 2 -> type = message.number();
        case 3 -> throw unsupported("is stored in segments");
        case 4 -> message.reals(value -> store(DType.F32, Float.floatToRawIntBits(value)));
        case 5 -> list(message);
        case 7 -> message.numbers(value -> store(DType.I64, value));
        case 8 -> name = message.text();
        case 9 -> raw = message.bytes();
        case 10 -> message.doubles(bits -> store(DType.F64, bits));
        case 11 -> list(message);
        case 13 -> entry(message.message());
        case 14 -> external = message.number() == EXTERNAL;
        default -> message.skip();
      }
    }
  }

  private void entry(ProtoReader message) {
    String key = "";
    String value = "";
    while (message.next()) {
      switch (message.field()) {
        case 1 -> key = message.text();
        case 2 -> value = message.text();
        default -> message.skip();
      }
    }
    entries.put(key, value);
  }

  /** Appends what is listed. A type that is not known is refused later, with the name. */
  private void list(ProtoReader message) {
    if (NarrowTypes.isNarrow(type) || OnnxTypes.isSupported(type)) {
      DType dtype = listedType();
      message.numbers(value -> store(dtype, value));
    } else {
      message.skip();
    }
  }

  private DType listedType() {
    if (NarrowTypes.isNarrow(type)) {
      return DType.U8;
    }
    return OnnxTypes.dtype(type, named -> unsupported("has the type " + named));
  }

  /** Appends the bits of a value that stands in one of the typed lists. */
  private void store(DType dtype, long bits) {
    int bytes = dtype.bytes();
    if (listed == null) {
      listed = MemorySegment.ofArray(new byte[64]);
    }
    if (listedBytes + bytes > listed.byteSize()) {
      byte[] larger =
          Arrays.copyOf(listed.toArray(DType.BYTE), Math.toIntExact(listed.byteSize() * 2));
      listed = MemorySegment.ofArray(larger);
    }
    switch (bytes) {
      case 1 -> listed.set(DType.BYTE, listedBytes, (byte) bits);
      case 2 -> listed.set(DType.SHORT, listedBytes, (short) bits);
      case 4 -> listed.set(DType.INT, listedBytes, (int) bits);
      default -> listed.set(DType.LONG, listedBytes, bits);
    }
    listedBytes += bytes;
  }

  private Constant constant(ExternalData outside) {
    DType dtype = listedType();
    Shape shape;
    long bytes;
    try {
      shape = Shape.of(dims);
      if (NarrowTypes.isNarrow(type)) {
        Shape inFile = Shape.of(Math.ceilDiv(shape.elements() * NarrowTypes.bits(type), 8L));
        return NarrowTypes.unpacked(
            type, shape, constant(inFile, dtype, inFile.elements(), outside));
      }
      bytes = Tensor.byteSize(dtype, shape);
    } catch (InputException impossible) {
      throw new FormatException(
          source
              + " has the initializer '"
              + name
              + "' with an impossible shape "
              + Arrays.toString(dims),
          "export the model again",
          impossible);
    }
    return constant(shape, dtype, bytes, outside);
  }

  /** The tensor of a shape whose elements take so many bytes in the file. */
  private Constant constant(Shape shape, DType dtype, long bytes, ExternalData outside) {
    if (external) {
      return outside.find(name, dtype, shape, entries);
    }
    MemorySegment data = raw;
    if (data == null) {
      data = listed == null ? MemorySegment.ofArray(new byte[0]) : listed.asSlice(0, listedBytes);
    }
    if (data.byteSize() != bytes) {
      throw new FormatException(
          source
              + " has the initializer '"
              + name
              + "' of type "
              + dtype
              + shape
              + " with "
              + data.byteSize()
              + " bytes of data instead of "
              + bytes,
          "export the model again");
    }
    return new Constant.Plain(Tensor.of(dtype, shape, data));
  }

  private UnsupportedException unsupported(String problem) {
    return new UnsupportedException(
        source + ": initializer '" + name + "' " + problem, "export the model with another type");
  }
}
