package dev.filigree.format.safetensors;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.UnsupportedException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/** Reads the header of a safetensors file. Nothing it says is believed before it is checked. */
final class SafetensorsHeader {
  /** Bytes before the header: its length. */
  private static final int PREFIX = 8;

  /** Larger headers are refused, as the format's own library does. */
  private static final long MAX_HEADER = 100_000_000;

  /** More axes than any model has; keeps a damaged file from claiming millions. */
  private static final int MAX_RANK = 64;

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
  private final JsonParser json;
  private final MemorySegment tensors;
  private final Map<String, SafetensorsFile.Entry> entries = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  private SafetensorsHeader(String source, JsonParser json, MemorySegment tensors) {
    this.source = source;
    this.json = json;
    this.tensors = tensors;
  }

  /** Reads the header of a file and checks it against the file's size. */
  static SafetensorsHeader read(String source, MemorySegment data) {
    if (data.byteSize() < PREFIX) {
      throw damaged(source, "has only " + data.byteSize() + " bytes");
    }
    long length = data.get(DType.LONG, 0);
    if (length < 2 || length > MAX_HEADER || length > data.byteSize() - PREFIX) {
      throw damaged(
          source,
          "claims at byte 0 a header of "
              + Long.toUnsignedString(length)
              + " bytes, in a file of "
              + data.byteSize());
    }
    byte[] text = data.asSlice(PREFIX, length).toArray(DType.BYTE);
    try (JsonParser json = JSON.createParser(ObjectReadContext.empty(), text)) {
      SafetensorsHeader header = new SafetensorsHeader(source, json, data.asSlice(PREFIX + length));
      header.object();
      header.checkPlaces();
      return header;
    } catch (JacksonException malformed) {
      throw new FormatException(
          source
              + " has a header that is no valid JSON at byte "
              + (PREFIX + malformed.getLocation().getByteOffset())
              + ": "
              + malformed.getOriginalMessage(),
          "download or write the file again",
          malformed);
    }
  }

  Map<String, SafetensorsFile.Entry> entries() {
    return entries;
  }

  Map<String, String> metadata() {
    return metadata;
  }

  private void object() {
    json.nextToken();
    expect(JsonToken.START_OBJECT);
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String name = json.currentName();
      json.nextToken();
      expect(JsonToken.START_OBJECT);
      if (name.equals(SafetensorsFile.METADATA)) {
        texts();
      } else {
        entries.put(name, entry(name));
      }
    }
    if (json.nextToken() != null) {
      throw damagedHere("has something behind its header");
    }
  }

  private void texts() {
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = json.currentName();
      json.nextToken();
      expect(JsonToken.VALUE_STRING);
      metadata.put(key, json.getString());
    }
  }

  private SafetensorsFile.Entry entry(String name) {
    SafetensorsType type = null;
    List<Long> extents = null;
    List<Long> offsets = null;
    while (json.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = json.currentName();
      json.nextToken();
      switch (key) {
        case "dtype" -> type = type(name);
        case "shape" -> extents = numbers();
        case "data_offsets" -> offsets = numbers();
        default -> throw damagedHere("says '" + key + "' of tensor '" + name + "'");
      }
    }
    if (type == null || extents == null || offsets == null || offsets.size() != 2) {
      throw damagedHere("does not say type, shape and place of tensor '" + name + "'");
    }
    long start = offsets.get(0);
    long end = offsets.get(1);
    if (start > end || end > tensors.byteSize()) {
      throw damagedHere(
          "puts tensor '"
              + name
              + "' at bytes "
              + start
              + " to "
              + end
              + " of "
              + tensors.byteSize());
    }
    Shape shape = shape(name, extents);
    if (Math.multiplyHigh(shape.elements(), type.bytes()) != 0
        || shape.elements() * type.bytes() != end - start) {
      throw damagedHere(
          "gives tensor '" + name + "' of type " + type + shape + " " + (end - start) + " bytes");
    }
    return new SafetensorsFile.Entry(name, type, shape, tensors.asSlice(start, end - start));
  }

  private SafetensorsType type(String name) {
    expect(JsonToken.VALUE_STRING);
    String text = json.getString();
    return SafetensorsType.of(text)
        .orElseThrow(
            () ->
                new UnsupportedException(
                    source + ": tensor '" + name + "' has the type '" + text + "'",
                    "convert it to a supported type"));
  }

  private Shape shape(String name, List<Long> extents) {
    try {
      return Shape.of(extents.stream().mapToLong(Long::longValue).toArray());
    } catch (InputException impossible) {
      throw damagedHere("gives tensor '" + name + "' the shape " + extents);
    }
  }

  private List<Long> numbers() {
    expect(JsonToken.START_ARRAY);
    List<Long> numbers = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      expect(JsonToken.VALUE_NUMBER_INT);
      long number = json.getLongValue();
      if (number < 0) {
        throw damagedHere("has the negative number " + number);
      }
      if (numbers.size() == MAX_RANK) {
        throw damagedHere("has a tensor of more than " + MAX_RANK + " axes");
      }
      numbers.add(number);
    }
    return numbers;
  }

  /** Tensors must not overlap, and no byte may belong to none. */
  private void checkPlaces() {
    List<SafetensorsFile.Entry> ordered = new ArrayList<>(entries.values());
    ordered.sort(
        Comparator.comparingLong((SafetensorsFile.Entry entry) -> entry.data().address())
            .thenComparingLong(entry -> entry.data().byteSize()));
    long first = tensors.address();
    long covered = 0;
    for (SafetensorsFile.Entry entry : ordered) {
      long at = entry.data().address() - first;
      if (at < covered) {
        throw damaged(
            source, "stores tensor '" + entry.name() + "' at byte " + at + " inside another one");
      }
      if (at > covered) {
        throw damaged(
            source,
            "has a hole from byte " + covered + " to tensor '" + entry.name() + "' at " + at);
      }
      covered = at + entry.data().byteSize();
    }
    if (covered != tensors.byteSize()) {
      throw damaged(
          source,
          "holds "
              + (tensors.byteSize() - covered)
              + " bytes that belong to no tensor, from byte "
              + covered);
    }
  }

  private void expect(JsonToken expected) {
    if (json.currentToken() != expected) {
      throw damagedHere("has " + json.currentToken() + " instead of " + expected);
    }
  }

  /** Names the place in the file where the header was being read. */
  private FormatException damagedHere(String problem) {
    return damaged(
        source,
        problem
            + " (in its header at byte "
            + (PREFIX + json.currentTokenLocation().getByteOffset())
            + ")");
  }

  private static FormatException damaged(String source, String problem) {
    return new FormatException(
        source + " is no valid safetensors file: it " + problem,
        "download or write the file again");
  }
}
