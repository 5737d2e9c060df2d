package dev.filigree.format.checkpoint;

import dev.filigree.FormatException;
import dev.filigree.format.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The tensors of a checkpoint folder, mapped: one {@value #SINGLE}, or the shards that {@value
 * #INDEX} lists. Immutable.
 */
final class CheckpointTensors {
  /** File of a checkpoint in one piece. */
  static final String SINGLE = "model.safetensors";

  /** List of the shards of one in several. */
  static final String INDEX = "model.safetensors.index.json";

  /** Last parts of the names that only weights have. */
  private static final List<String> WEIGHT_PARTS =
      List.of(".weight", ".compressed", ".weight_packed", ".qweight", ".blocks", ".turned");

  private final Map<String, SafetensorsFile.Entry> entries;

  private CheckpointTensors(Map<String, SafetensorsFile.Entry> entries) {
    this.entries = Collections.unmodifiableMap(entries);
  }

  /** Tensors that are seen otherwise than the files have them. */
  static CheckpointTensors of(Map<String, SafetensorsFile.Entry> entries) {
    return new CheckpointTensors(entries);
  }

  /** Whether a folder holds the weights of a checkpoint. */
  static boolean in(Path folder) {
    return Files.isRegularFile(folder.resolve(SINGLE))
        || Files.isRegularFile(folder.resolve(INDEX));
  }

  /**
   * Maps the files of a folder.
   *
   * @param arena decides how long the tensors live
   * @throws FormatException if a file is missing, damaged, or not where a shard may be
   */
  static CheckpointTensors map(Path folder, Arena arena) {
    Path index = folder.resolve(INDEX);
    if (!Files.isRegularFile(index)) {
      return new CheckpointTensors(
          new LinkedHashMap<>(SafetensorsFile.map(folder.resolve(SINGLE), arena).entries()));
    }
    JsonFile list = JsonFile.read(index);
    JsonNode shards = list.node().path("weight_map");
    if (!shards.isObject()) {
      throw new FormatException(index + " has no 'weight_map'", "download it again");
    }
    Map<String, SafetensorsFile> files = new HashMap<>();
    Map<String, SafetensorsFile.Entry> entries = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> shard : shards.properties()) {
      String tensor = shard.getKey();
      if (!shard.getValue().isString()) {
        throw new FormatException(
            index + " names no file for tensor '" + tensor + "'", "download it again");
      }
      SafetensorsFile file =
          files.computeIfAbsent(
              shard.getValue().stringValue(),
              name -> SafetensorsFile.map(sibling(index, tensor, name), arena));
      SafetensorsFile.Entry entry =
          file.entry(tensor)
              .orElseThrow(
                  () ->
                      new FormatException(
                          file.source()
                              + " lacks the tensor '"
                              + tensor
                              + "' that "
                              + index
                              + " says it holds",
                          "download index and shards of the same version"));
      entries.put(tensor, entry);
    }
    return new CheckpointTensors(entries);
  }

  /** A shard must lie in the folder itself: an index may come from anywhere. */
  private static Path sibling(Path index, String tensor, String name) {
    try {
      Path file = Path.of(name);
      if (file.getNameCount() == 1
          && !file.isAbsolute()
          && !name.equals("..")
          && !name.equals(".")) {
        return index.resolveSibling(file);
      }
    } catch (InvalidPathException noPath) {
      // reported below
    }
    throw new FormatException(
        index + " puts tensor '" + tensor + "' into '" + name + "', which is no file of its folder",
        "put all shards beside it");
  }

  /** All tensors by name, in the order of the files. */
  Map<String, SafetensorsFile.Entry> entries() {
    return entries;
  }

  /** A tensor. */
  Optional<SafetensorsFile.Entry> entry(String name) {
    return Optional.ofNullable(entries.get(name));
  }

  /** Modules that have weights in some form, in the order of the files. */
  Set<String> modules() {
    Set<String> modules = new LinkedHashSet<>();
    for (String name : entries.keySet()) {
      for (String part : WEIGHT_PARTS) {
        if (name.endsWith(part)) {
          String module = name.substring(0, name.length() - part.length());
          modules.add(module.replaceFirst("\\.weight$", ""));
        }
      }
    }
    return modules;
  }
}
