package dev.filigree.format.onnx;

import dev.filigree.DType;
import dev.filigree.FormatException;
import dev.filigree.Shape;
import dev.filigree.Tensor;
import dev.filigree.format.MappedFile;
import dev.filigree.graph.Constant;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Finds the data of initializers that a model keeps outside itself. */
@FunctionalInterface
public interface ExternalData {
  /**
   * The constant an initializer stands for.
   *
   * @param initializer its name
   * @param dtype its element type
   * @param shape its shape
   * @param entries what the model says of the data: location, offset, length
   */
  Constant find(String initializer, DType dtype, Shape shape, Map<String, String> entries);

  /**
   * Data in files beside the model, mapped when first used.
   *
   * @param model the model's file
   * @param arena decides how long the mappings live
   */
  static ExternalData beside(Path model, Arena arena) {
    Map<Path, MemorySegment> mapped = new HashMap<>();
    return (initializer, dtype, shape, entries) -> {
      Path file = sibling(model, initializer, entries.get("location"));
      MemorySegment data = mapped.computeIfAbsent(file, path -> MappedFile.map(path, arena));
      long bytes = Tensor.byteSize(dtype, shape);
      long offset = number(file, initializer, entries.getOrDefault("offset", "0"));
      long length = number(file, initializer, entries.getOrDefault("length", Long.toString(bytes)));
      if (length != bytes || offset > data.byteSize() - length) {
        throw new FormatException(
            file
                + " has "
                + data.byteSize()
                + " bytes, but initializer '"
                + initializer
                + "' wants "
                + bytes
                + " and is said to have "
                + length
                + " at offset "
                + offset,
            "copy model and data files from the same export");
      }
      return new Constant.Plain(Tensor.of(dtype, shape, data.asSlice(offset, length)));
    };
  }

  private static Path sibling(Path model, String initializer, String location) {
    if (location == null) {
      throw new FormatException(
          model + " keeps initializer '" + initializer + "' outside but does not say where",
          "export the model again");
    }
    Path folder = model.toAbsolutePath().normalize().getParent();
    try {
      Path file = folder.resolve(location).normalize();
      if (file.startsWith(folder)) {
        return file;
      }
    } catch (InvalidPathException noPath) {
      // reported below: such a file cannot lie in the folder either
    }
    throw new FormatException(
        model
            + " keeps initializer '"
            + initializer
            + "' in '"
            + location
            + "', which names no file in its folder",
        "put the data file beside the model");
  }

  private static long number(Path file, String initializer, String text) {
    try {
      long number = Long.parseLong(text);
      if (number >= 0) {
        return number;
      }
    } catch (NumberFormatException notANumber) {
      // reported below, with a negative one
    }
    throw new FormatException(
        "the place of initializer '" + initializer + "' in " + file + " is '" + text + "'",
        "export the model again");
  }
}
