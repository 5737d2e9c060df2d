package dev.filigree.format.safetensors;

import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.AtomicFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * Collects tensors and writes them as a safetensors file. Data starts at a multiple of 64 bytes and
 * wide types come first, so that every tensor is aligned to its elements although the format allows
 * no gaps.
 */
public final class SafetensorsWriter {
  private static final int ALIGNMENT = 64;

  /** Bytes written at a time. */
  private static final int PIECE = 1 << 20;

  private static final JsonFactory JSON = new JsonFactory();

  private record Item(SafetensorsType type, Shape shape, MemorySegment data) {}

  private final Map<String, Item> items = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  /** A file without tensors. */
  public SafetensorsWriter() {}

  /** Adds what the file says of itself. */
  public SafetensorsWriter metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /** Adds a tensor; a strided view is copied. */
  public SafetensorsWriter add(String name, Tensor tensor) {
    Tensor contiguous = tensor.contiguous();
    return add(
        name,
        SafetensorsType.of(tensor.dtype()),
        tensor.shape(),
        contiguous.data().asSlice(0, contiguous.bytes()));
  }

  /**
   * Adds a tensor from its bytes.
   *
   * @throws InputException if the name is taken or the size is not that of type and shape
   */
  public SafetensorsWriter add(String name, SafetensorsType type, Shape shape, MemorySegment data) {
    if (name.equals(SafetensorsFile.METADATA)) {
      throw new InputException(
          "a tensor cannot be named '" + name + "', which the format reserves",
          "rename it in the model");
    }
    if (Math.multiplyHigh(shape.elements(), type.bytes()) != 0
        || shape.elements() * type.bytes() != data.byteSize()) {
      throw new InputException(
          "tensor '" + name + "' of type " + type + shape + " has " + data.byteSize() + " bytes",
          "pass as many as its type and shape take");
    }
    if (items.put(name, new Item(type, shape, data)) != null) {
      throw new InputException(
          "two tensors are named '" + name + "'", "rename one of them in the model");
    }
    return this;
  }

  /** What was added, in its order. */
  public List<SafetensorsFile.Entry> entries() {
    List<SafetensorsFile.Entry> entries = new ArrayList<>();
    items.forEach(
        (name, item) ->
            entries.add(new SafetensorsFile.Entry(name, item.type, item.shape, item.data)));
    return entries;
  }

  /** What the file will say of itself. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** Bytes of all tensors. */
  public long bytes() {
    return items.values().stream().mapToLong(item -> item.data.byteSize()).sum();
  }

  /**
   * Writes the file, whole or not at all.
   *
   * @throws dev.filigree.OutputException if that fails
   */
  public void write(Path file) {
    List<Map.Entry<String, Item>> ordered = new ArrayList<>(items.entrySet());
    ordered.sort(
        Comparator.comparingInt((Map.Entry<String, Item> entry) -> -entry.getValue().type.bytes()));
    byte[] header = header(ordered);
    AtomicFile.write(
        file,
        channel -> {
          ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
          length.putLong(header.length).flip();
          writeAll(channel, length);
          writeAll(channel, ByteBuffer.wrap(header));
          ByteBuffer piece = ByteBuffer.allocateDirect(PIECE);
          for (Map.Entry<String, Item> entry : ordered) {
            writeAll(channel, entry.getValue().data, piece);
          }
        });
  }

  private byte[] header(List<Map.Entry<String, Item>> ordered) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(ObjectWriteContext.empty(), out)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeName(SafetensorsFile.METADATA).writeStartObject();
        metadata.forEach(json::writeStringProperty);
        json.writeEndObject();
      }
      long at = 0;
      for (Map.Entry<String, Item> entry : ordered) {
        Item item = entry.getValue();
        json.writeName(entry.getKey()).writeStartObject();
        json.writeStringProperty("dtype", item.type.name());
        json.writeName("shape").writeStartArray();
        for (long extent : item.shape.extents()) {
          json.writeNumber(extent);
        }
        json.writeEndArray().writeName("data_offsets").writeStartArray();
        json.writeNumber(at);
        at += item.data.byteSize();
        json.writeNumber(at);
        json.writeEndArray().writeEndObject();
      }
      json.writeEndObject();
    }
    // the format pads the header with spaces
    while ((8 + out.size()) % ALIGNMENT != 0) {
      out.write(' ');
    }
    return out.toByteArray();
  }

  private static void writeAll(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  /**
   * Writes through a buffer, since a segment over an array of other elements than bytes has none.
   */
  private static void writeAll(FileChannel channel, MemorySegment data, ByteBuffer piece)
      throws IOException {
    for (long at = 0; at < data.byteSize(); at += piece.capacity()) {
      long bytes = Math.min(piece.capacity(), data.byteSize() - at);
      MemorySegment.copy(data, at, MemorySegment.ofBuffer(piece.clear()), 0, bytes);
      writeAll(channel, piece.limit((int) bytes));
    }
  }
}
