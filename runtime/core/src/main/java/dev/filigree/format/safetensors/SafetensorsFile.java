package dev.filigree.format.safetensors;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.UnsupportedException;
import dev.filigree.format.MappedFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A safetensors file, mapped: u64 length of the header, the header as JSON, then the tensors'
 * bytes. The header is checked completely, the tensors are not touched. Immutable.
 */
public final class SafetensorsFile {
  /** Name in the header that stands for no tensor but for what the file says of itself. */
  static final String METADATA = "__metadata__";

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
   * @throws FormatException if the file is damaged; the message names file and byte
   * @throws UnsupportedException if a tensor has an element type that is not in {@link
   *     SafetensorsType}
   */
  public static SafetensorsFile map(Path file, Arena arena) {
    return read(file.toString(), MappedFile.map(file, arena));
  }

  /** Reads a file from memory, which must live as long as the entries. */
  public static SafetensorsFile read(String source, MemorySegment data) {
    SafetensorsHeader header = SafetensorsHeader.read(source, data);
    return new SafetensorsFile(source, header.entries(), header.metadata());
  }

  /** Tensors that lie elsewhere, seen as those of a file. */
  public static SafetensorsFile of(
      String source, Map<String, Entry> entries, Map<String, String> metadata) {
    return new SafetensorsFile(source, new LinkedHashMap<>(entries), new LinkedHashMap<>(metadata));
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
