package dev.filigree.format.onnx;

import dev.filigree.format.MappedFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What belongs to an ONNX file and lies in the folders around it. */
public final class Companions {
  private Companions() {}

  /** Where it may lie: beside the file, and above a folder {@code onnx}. */
  public static List<Path> folders(Path onnx) {
    Path beside = onnx.toAbsolutePath().getParent();
    Path name = beside.getFileName();
    return name != null && name.toString().equals("onnx") && beside.getParent() != null
        ? List.of(beside, beside.getParent())
        : List.of(beside);
  }

  /**
   * Maps documents: {@code MODEL-NAME} of that model, or {@code NAME}.
   *
   * @param names of those that are wanted
   * @param arena decides how long they live
   * @return by name, those that are there
   */
  public static Map<String, MemorySegment> documents(Path onnx, List<String> names, Arena arena) {
    String stem = onnx.getFileName().toString().replaceFirst("\\.onnx$", "");
    Map<String, MemorySegment> found = new HashMap<>();
    for (String document : names) {
      for (Path folder : folders(onnx)) {
        for (String name : List.of(stem + "-" + document, document)) {
          Path file = folder.resolve(name);
          if (!found.containsKey(document) && Files.isRegularFile(file)) {
            found.put(document, MappedFile.map(file, arena));
          }
        }
      }
    }
    return found;
  }
}
