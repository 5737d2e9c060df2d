package dev.filigree.format.container;

import dev.filigree.FormatException;
import dev.filigree.InputException;
import dev.filigree.Shape;
import dev.filigree.format.entropy.Coded;
import dev.filigree.format.safetensors.SafetensorsFile;
import dev.filigree.format.safetensors.SafetensorsType;
import dev.filigree.format.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The archive form of a file: tensors that {@link Coded} makes shorter are U8 tensors with its
 * bytes, and the metadata say what they were: {@code filigree.archived.NAME} is {@code F32
 * 384,1536}. All others are as they were. Opening decodes them, several at once, into memory; what
 * is read from there on is the plain file.
 */
final class Archive {
  /** Version of files of this form. */
  static final String VERSION = "2";

  /** What vectors of every width like. */
  private static final int ALIGNMENT = 64;

  private static final String KEY = "filigree.archived.";

  /** A type and extents, none of more digits than a long has. */
  private static final Pattern WAS =
      Pattern.compile("([A-Z0-9_]{1,12}) ((?:\\d{1,18},){0,15}\\d{1,18})?");

  private Archive() {}

  /** The archive form of what a writer holds. */
  static SafetensorsWriter pack(SafetensorsWriter plain) {
    SafetensorsWriter packed = new SafetensorsWriter();
    plain.metadata().forEach(packed::metadata);
    long coded = 0;
    long decoded = 0;
    for (SafetensorsFile.Entry entry : plain.entries()) {
      MemorySegment shorter = Coded.encode(entry.data(), entry.type().bytes(), true);
      decoded += entry.data().byteSize();
      coded += shorter == null ? entry.data().byteSize() : shorter.byteSize();
      if (shorter == null) {
        packed.add(entry.name(), entry.type(), entry.shape(), entry.data());
        continue;
      }
      packed.add(entry.name(), SafetensorsType.U8, Shape.of(shorter.byteSize()), shorter);
      packed.metadata(KEY + entry.name(), entry.type() + " " + extents(entry.shape()));
    }
    return packed
        .metadata(Container.VERSION, VERSION)
        .metadata(Container.ARCHIVE, coded + " " + decoded);
  }

  private static String extents(Shape shape) {
    List<String> extents = new ArrayList<>();
    for (long extent : shape.extents()) {
      extents.add(Long.toString(extent));
    }
    return String.join(",", extents);
  }

  /**
   * Decodes an archive.
   *
   * @param arena decides how long the decoded tensors live
   * @throws FormatException if it is damaged
   */
  static SafetensorsFile unpack(SafetensorsFile packed, Arena arena) {
    Map<String, String> metadata = new LinkedHashMap<>();
    Map<String, String> archived = new LinkedHashMap<>();
    packed
        .metadata()
        .forEach(
            (key, value) -> {
              if (key.startsWith(KEY)) {
                archived.put(key.substring(KEY.length()), value);
              } else {
                metadata.put(key, value);
              }
            });
    Map<String, SafetensorsFile.Entry> entries = new LinkedHashMap<>(packed.entries());
    archived.forEach((name, was) -> entries.put(name, empty(packed, name, was, arena)));
    archived.keySet().parallelStream()
        .forEach(
            name ->
                Coded.decode(
                    packed.source() + ": tensor '" + name + "'",
                    packed.entries().get(name).data(),
                    entries.get(name).data(),
                    true));
    return SafetensorsFile.of(packed.source(), entries, metadata);
  }

  /** Memory for a tensor. */
  private static SafetensorsFile.Entry empty(
      SafetensorsFile packed, String name, String was, Arena arena) {
    Optional<SafetensorsFile.Entry> coded = packed.entry(name);
    Matcher parts = WAS.matcher(was);
    if (coded.isEmpty() || coded.get().type() != SafetensorsType.U8 || !parts.matches()) {
      throw damaged(packed, name, "is said to be archived from '" + was + "'");
    }
    SafetensorsType type =
        SafetensorsType.of(parts.group(1))
            .orElseThrow(() -> damaged(packed, name, "has the type " + parts.group(1)));
    Shape shape = shape(parts.group(2));
    long most = Coded.most(coded.get().data());
    if (shape == null || shape.elements() > most / type.bytes()) {
      throw damaged(packed, name, "claims to hold more than its bytes can");
    }
    MemorySegment data = arena.allocate(shape.elements() * type.bytes(), ALIGNMENT);
    return new SafetensorsFile.Entry(name, type, shape, data);
  }

  private static Shape shape(String extents) {
    if (extents == null) {
      return Shape.of();
    }
    try {
      String[] parts = extents.split(",");
      long[] numbers = new long[parts.length];
      for (int i = 0; i < parts.length; i++) {
        numbers[i] = Long.parseLong(parts[i]);
      }
      return Shape.of(numbers);
    } catch (InputException tooLarge) {
      return null;
    }
  }

  private static FormatException damaged(SafetensorsFile file, String name, String problem) {
    return new FormatException(
        file.source() + ": tensor '" + name + "' " + problem, "write the file again");
  }
}
