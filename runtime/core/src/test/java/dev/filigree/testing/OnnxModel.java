package dev.filigree.testing;

import dev.filigree.DType;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.graph.OnnxTypes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;

/** Writes small ONNX files, field by field. */
public final class OnnxModel {
  private static final String MICROSOFT = "com.microsoft";

  private final Message graph = new Message().text(2, "test");
  private final int opset;
  private int nodes;
  private boolean microsoft;

  /** A model of a version of the operator set. */
  public OnnxModel(int opset) {
    this.opset = opset;
  }

  /** Adds an input; an extent is a whole number or a symbol. */
  public OnnxModel input(String name, DType dtype, String... extents) {
    graph.message(11, value(name, dtype, extents));
    return this;
  }

  /** Adds an output; an extent is a whole number or a symbol. */
  public OnnxModel output(String name, DType dtype, String... extents) {
    graph.message(12, value(name, dtype, extents));
    return this;
  }

  /** Adds a contiguous constant. */
  public OnnxModel initializer(String name, Tensor tensor) {
    graph.message(5, tensor(name, tensor));
    return this;
  }

  /** Adds a contiguous constant as its values that are not zero and their positions. */
  public OnnxModel sparseInitializer(String name, Tensor tensor) {
    long[] positions =
        LongStream.range(0, tensor.elements()).filter(i -> tensor.getDouble(i) != 0).toArray();
    Tensor values = Tensor.zeros(tensor.dtype(), Shape.of(positions.length));
    for (int i = 0; i < positions.length; i++) {
      values.setDouble(i, tensor.getDouble(positions[i]));
    }
    Message message =
        new Message()
            .message(1, tensor(name, values))
            .message(2, tensor(name + "_positions", Tensor.of(positions, positions.length)));
    for (long extent : tensor.shape().extents()) {
      message.number(3, extent);
    }
    graph.message(15, message);
    return this;
  }

  private static Message tensor(String name, Tensor tensor) {
    Message message = new Message();
    for (long extent : tensor.shape().extents()) {
      message.number(1, extent);
    }
    return message
        .number(2, OnnxTypes.number(tensor.dtype()))
        .text(8, name)
        .bytes(9, tensor.data().toArray(DType.BYTE));
  }

  /** Adds an operation with one output and no attributes. */
  public OnnxModel node(String type, String output, String... inputs) {
    return node(type, Map.of(), output, inputs);
  }

  /** Attributes that ONNX has as one number and not as a list. */
  private static final Set<String> SINGLE =
      Set.of("transA", "transB", "group", "K", "N", "bits", "block_size", "accuracy_level");

  /**
   * Adds an operation with one output and whole numbers or lists of them as attributes.
   *
   * @param type with its domain before it, if that is Microsoft's
   */
  public OnnxModel node(
      String type, Map<String, long[]> attributes, String output, String... inputs) {
    Message message = new Message();
    attributes.forEach(
        (name, numbers) -> {
          boolean single = SINGLE.contains(name);
          Message attribute = new Message().text(1, name).number(20, single ? 2 : 7);
          for (long number : numbers) {
            attribute.number(single ? 3 : 8, number);
          }
          message.message(5, attribute);
        });
    for (String input : inputs) {
      message.text(1, input);
    }
    boolean standard = !type.startsWith(MICROSOFT + ".");
    String name = standard ? type : type.substring(MICROSOFT.length() + 1);
    message.text(2, output).text(3, name + "_" + nodes++).text(4, name);
    microsoft |= !standard;
    graph.message(1, standard ? message : message.text(7, MICROSOFT));
    return this;
  }

  /** Writes the file. */
  public Path write(Path file) {
    Message model =
        new Message().number(1, 8).message(7, graph).message(8, new Message().number(2, opset));
    if (microsoft) {
      model.message(8, new Message().text(1, MICROSOFT).number(2, 1));
    }
    try {
      return Files.write(file, model.toBytes());
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static Message value(String name, DType dtype, String... extents) {
    Message shape = new Message();
    for (String extent : extents) {
      boolean known = Character.isDigit(extent.charAt(0));
      shape.message(
          1,
          known ? new Message().number(1, Long.parseLong(extent)) : new Message().text(2, extent));
    }
    Message tensor = new Message().number(1, OnnxTypes.number(dtype)).message(2, shape);
    return new Message().text(1, name).message(2, new Message().message(1, tensor));
  }

  /** A message in the Protocol Buffers wire format. */
  private static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Message number(int field, long value) {
      varint((long) field << 3);
      varint(value);
      return this;
    }

    Message text(int field, String value) {
      return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    Message message(int field, Message message) {
      return bytes(field, message.toBytes());
    }

    Message bytes(int field, byte[] value) {
      varint((long) field << 3 | 2);
      varint(value.length);
      out.writeBytes(value);
      return this;
    }

    byte[] toBytes() {
      return out.toByteArray();
    }

    private void varint(long value) {
      long rest = value;
      for (; (rest & ~0x7fL) != 0; rest >>>= 7) {
        out.write((int) (rest & 0x7f | 0x80));
      }
      out.write((int) rest);
    }
  }
}
