package dev.filigree.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * An ONNX file of one linear layer, {@code y[batch, 4] = x[batch, 8] * w + b}, written field by
 * field. Weight {@code w[k, n]} is {@code k + 10 n + 1}, bias {@code b[n]} is {@code n}.
 */
final class TinyOnnx {
  static final int IN = 8;
  static final int OUT = 4;

  private static final int FLOAT = 1;

  private TinyOnnx() {}

  static Path write(Path file) throws IOException {
    ByteBuffer weights = ByteBuffer.allocate(IN * OUT * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int k = 0; k < IN; k++) {
      for (int n = 0; n < OUT; n++) {
        weights.putFloat(weight(k, n));
      }
    }
    ByteBuffer bias = ByteBuffer.allocate(OUT * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int n = 0; n < OUT; n++) {
      bias.putFloat(n);
    }
    Message graph =
        new Message()
            .message(1, node("MatMul", "product", "x", "w"))
            .message(1, node("Add", "y", "product", "b"))
            .text(2, "tiny")
            .message(5, tensor("w", weights.array(), IN, OUT))
            .message(5, tensor("b", bias.array(), OUT))
            .message(11, value("x", IN))
            .message(12, value("y", OUT));
    Message model =
        new Message()
            .number(1, 8)
            .message(7, graph)
            .message(8, new Message().text(1, "").number(2, 13));
    return Files.write(file, model.bytes());
  }

  static float weight(int k, int n) {
    return k + 10 * n + 1;
  }

  private static Message node(String type, String output, String... inputs) {
    Message node = new Message();
    for (String input : inputs) {
      node.text(1, input);
    }
    return node.text(2, output).text(3, output).text(4, type);
  }

  private static Message tensor(String name, byte[] data, long... extents) {
    Message tensor = new Message();
    for (long extent : extents) {
      tensor.number(1, extent);
    }
    return tensor.number(2, FLOAT).text(8, name).bytes(9, data);
  }

  private static Message value(String name, long features) {
    Message shape =
        new Message()
            .message(1, new Message().text(2, "batch"))
            .message(1, new Message().number(1, features));
    Message tensor = new Message().number(1, FLOAT).message(2, shape);
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
      return bytes(field, message.bytes());
    }

    Message bytes(int field, byte[] value) {
      varint((long) field << 3 | 2);
      varint(value.length);
      out.writeBytes(value);
      return this;
    }

    byte[] bytes() {
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
