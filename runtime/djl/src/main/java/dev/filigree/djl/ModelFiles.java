package dev.filigree.djl;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Finds the model in the folder that DJL gives. */
final class ModelFiles {
  private static final List<String> ENDINGS = List.of(".filigree", ".onnx");

  private ModelFiles() {}

  /**
   * The file of that name, else {@code model}, else the only one there is, else the folder itself
   * if it is a checkpoint.
   *
   * @param given what the user named: a folder or a file
   * @param folder where DJL looks
   * @throws FileNotFoundException if there is none, or more than one to choose from
   */
  static Path find(Path given, Path folder, String name, ModelOptions options) throws IOException {
    if (Files.isRegularFile(given)) {
      return given;
    }
    if (!options.file().isEmpty()) {
      Path file = folder.resolve(options.file()).normalize();
      if (!file.startsWith(folder.normalize()) || !Files.isRegularFile(file)) {
        throw new FileNotFoundException(
            "option file names '" + options.file() + "', which is no file in " + folder);
      }
      return file;
    }
    for (String stem : List.of(name, "model")) {
      for (String ending : ENDINGS) {
        Path file = folder.resolve(stem + ending);
        if (Files.isRegularFile(file)) {
          return file;
        }
      }
    }
    List<Path> all = models(folder);
    if (all.size() == 1) {
      return all.getFirst();
    }
    if (all.isEmpty() && Files.isRegularFile(folder.resolve("config.json"))) {
      return folder;
    }
    throw new FileNotFoundException(
        all.isEmpty()
            ? folder + " holds no .filigree or .onnx file and no checkpoint"
            : folder + " holds several models " + all + "; name one with option file");
  }

  private static List<Path> models(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(file -> ENDINGS.stream().anyMatch(file.getFileName().toString()::endsWith))
          .filter(Files::isRegularFile)
          .sorted()
          .map(Path::getFileName)
          .map(folder::resolve)
          .toList();
    }
  }
}
