package dev.filigree.format.safetensors;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.MappedFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * A safetensors file, mapped: u64 length of the header, the header as JSON, then the tensors'
 * bytes. The header is checked completely, the tensors are not touched. Immutable.
 */
public final class SafetensorsFile {
  /** Larger headers are refused, as the format's own library does. */
  private static final long MAX_HEADER = 100_000_000;

  private static final String METADATA = "__metadata__";

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(8)
                  .maxStringLength((int) MAX_HEADER)
                  .maxNameLength(4096)
                  .build())
          .build();

  private final String source;
  private final Map<String, Entry> entries;
  private final Map<String, String> metadata;

  private SafetensorsFile(String source, Map<String, Entry> entries, Map<String, String> metadata) {
    this.source = source;
    this.entries = Collections.unmodifiableMap(entries);
    this.metadata = Collections.unmodifiableMap(metadata);
  }

  /**
   * A tensor of the file.
   *
   * @param name its name
   * @param type its element type
   * @param shape its shape
   * @param data its bytes, where they are mapped
   */
  public record Entry(String name, SafetensorsType type, Shape shape, MemorySegment data) {
    /**
     * The entry as a tensor.
     *
     * @throws UnsupportedException if Filigree has no such element type
     */
    public Tensor tensor() {
      DType dtype =
          type.dtype()
              .orElseThrow(
                  () ->
                      new UnsupportedException(
                          "tensor '" + name + "' has the type " + type,
                          "convert it to a supported type"));
      return Tensor.of(dtype, shape, data);
    }
  }

  /**
   * Maps a file.
   *
   * @param arena decides how long the tensors live
   * @throws FormatException if the file is damaged
   */
  public static SafetensorsFile map(Path file, Arena arena) {
    return read(file.toString(), MappedFile.map(file, arena));
  }

  /** Reads a file from memory, which must live as long as the entries. */
  public static SafetensorsFile read(String source, MemorySegment data) {
    if (data.byteSize() < 8) {
      throw damaged(source, "has only " + data.byteSize() + " bytes");
    }
    long length = data.get(DType.LONG, 0);
    if (length < 2 || length > MAX_HEADER || length > data.byteSize() - 8) {
      throw damaged(
          source,
          "claims a header of "
              + Long.toUnsignedString(length)
              + " bytes in a file of "
              + data.byteSize());
    }
    byte[] header = data.asSlice(8, length).toArray(DType.BYTE);
    MemorySegment tensors = data.asSlice(8 + length);
    Map<String, Entry> entries = new LinkedHashMap<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    try (JsonParser json = JSON.createParser(ObjectReadContext.empty(), header)) {
      expect(source, json, json.nextToken(), JsonToken.START_OBJECT);
      while (json.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = json.currentName();
        expect(source, json, json.nextToken(), JsonToken.START_OBJECT);
        if (name.equals(METADATA)) {
          metadata(source, json, metadata);
        } else {
          entries.put(name, entry(source, json, name, tensors));
        }
      }
      expect(source, json, json.currentToken(), JsonToken.END_OBJECT);
      if (json.nextToken() != null) {
        throw damaged(source, "has something behind its header");
      }
    } catch (JacksonException malformed) {
      throw new FormatException(
          source + " has a header that is no valid JSON: " + malformed.getOriginalMessage(),
          "download or write the file again",
          malformed);
    }
    checkPlaces(source, entries.values(), tensors);
    return new SafetensorsFile(source, entries, metadata);
  }

  private static void metadata(String source, JsonParser json, Map<String, String> metadata) {
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = json.currentName();
      expect(source, json, json.nextToken(), JsonToken.VALUE_STRING);
      metadata.put(key, json.getString());
    }
  }

  private static Entry entry(String source, JsonParser json, String name, MemorySegment tensors) {
    SafetensorsType type = null;
    List<Long> shape = null;
    List<Long> offsets = null;
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = json.currentName();
      json.nextToken();
      switch (key) {
        case "dtype" -> {
          expect(source, json, json.currentToken(), JsonToken.VALUE_STRING);
          String text = json.getString();
          type =
              SafetensorsType.of(text)
                  .orElseThrow(
                      () ->
                          new UnsupportedException(
                              source + ": tensor '" + name + "' has the type '" + text + "'",
                              "convert it to a supported type"));
        }
        case "shape" -> shape = numbers(source, json);
        case "data_offsets" -> offsets = numbers(source, json);
        default -> throw damaged(source, "says '" + key + "' of tensor '" + name + "'");
      }
    }
    if (type == null || shape == null || offsets == null || offsets.size() != 2) {
      throw damaged(source, "does not say type, shape and place of tensor '" + name + "'");
    }
    long start = offsets.get(0);
    long end = offsets.get(1);
    if (start > end || end > tensors.byteSize()) {
      throw damaged(
          source,
          "puts tensor '"
              + name
              + "' at bytes "
              + start
              + " to "
              + end
              + " of "
              + tensors.byteSize());
    }
    Shape extents = shape(source, name, shape);
    if (Math.multiplyHigh(extents.elements(), type.bytes()) != 0
        || extents.elements() * type.bytes() != end - start) {
      throw damaged(
          source,
          "gives tensor '" + name + "' of type " + type + extents + " " + (end - start) + " bytes");
    }
    return new Entry(name, type, extents, tensors.asSlice(start, end - start));
  }

  private static Shape shape(String source, String name, List<Long> extents) {
    try {
      return Shape.of(extents.stream().mapToLong(Long::longValue).toArray());
    } catch (InputException impossible) {
      throw damaged(source, "gives tensor '" + name + "' the shape " + extents);
    }
  }

  private static List<Long> numbers(String source, JsonParser json) {
    expect(source, json, json.currentToken(), JsonToken.START_ARRAY);
    List<Long> numbers = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      expect(source, json, json.currentToken(), JsonToken.VALUE_NUMBER_INT);
      long number = json.getLongValue();
      if (number < 0 || numbers.size() == 64) {
        throw damaged(source, "has the number " + number + " in its header");
      }
      numbers.add(number);
    }
    return numbers;
  }

  /** Tensors must not overlap, and no byte may belong to none. */
  private static void checkPlaces(String source, Iterable<Entry> entries, MemorySegment tensors) {
    List<Entry> ordered = new ArrayList<>();
    entries.forEach(ordered::add);
    ordered.sort(
        Comparator.comparingLong((Entry entry) -> entry.data.address())
            .thenComparingLong(entry -> entry.data.byteSize()));
    long covered = 0;
    for (Entry entry : ordered) {
      long at = entry.data.address() - tensors.address();
      if (at < covered) {
        throw damaged(source, "stores tensor '" + entry.name + "' inside another one");
      }
      if (at > covered) {
        throw damaged(source, "has a hole before tensor '" + entry.name + "'");
      }
      covered = at + entry.data.byteSize();
    }
    if (covered != tensors.byteSize()) {
      throw damaged(
          source, "holds " + (tensors.byteSize() - covered) + " bytes that belong to no tensor");
    }
  }

  private static void expect(String source, JsonParser json, JsonToken found, JsonToken expected) {
    if (found != expected) {
      throw damaged(
          source,
          "has "
              + found
              + " instead of "
              + expected
              + " at byte "
              + (8 + json.currentTokenLocation().getByteOffset()));
    }
  }

  private static FormatException damaged(String source, String problem) {
    return new FormatException(
        source + " is no valid safetensors file: it " + problem,
        "download or write the file again");
  }

  /** The file named in messages. */
  public String source() {
    return source;
  }

  /** All tensors by name, in the header's order. */
  public Map<String, Entry> entries() {
    return entries;
  }

  /** A tensor of the file. */
  public Optional<Entry> entry(String name) {
    return Optional.ofNullable(entries.get(name));
  }

  /** What the file says of itself. */
  public Map<String, String> metadata() {
    return metadata;
  }
}
