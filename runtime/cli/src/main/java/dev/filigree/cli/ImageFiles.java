package dev.filigree.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;

/** Image files, named one by one or by their folders. */
final class ImageFiles {
  /** Endings of the files that are taken from a folder. */
  private static final Set<String> ENDINGS =
      Set.of("jpg", "jpeg", "png", "gif", "bmp", "wbmp", "tif", "tiff");

  private ImageFiles() {}

  /**
   * The image files among paths, those of folders in the order of their paths.
   *
   * @param option that named them
   * @throws UsageException if a path does not exist or a folder holds no image
   */
  static List<Path> of(String option, List<Path> paths) {
    List<Path> files = new ArrayList<>();
    for (Path path : paths) {
      if (Files.isDirectory(path)) {
        files.addAll(inside(option, path));
      } else if (Files.exists(path)) {
        files.add(path);
      } else {
        throw new UsageException(option + " " + path + " does not exist; check the path");
      }
    }
    return files;
  }

  private static List<Path> inside(String option, Path folder) {
    try (Stream<Path> all = Files.walk(folder)) {
      List<Path> files = all.filter(ImageFiles::isImage).sorted().toList();
      if (files.isEmpty()) {
        throw new UsageException(
            option
                + " "
                + folder
                + " is a folder without images ("
                + String.join(", ", ENDINGS.stream().sorted().toList())
                + ")");
      }
      return files;
    } catch (IOException | UncheckedIOException unreadable) {
      throw new UsageException(
          option + " " + folder + " cannot be read (" + unreadable.getMessage() + ")");
    }
  }

  private static boolean isImage(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return Files.isRegularFile(file) && ENDINGS.contains(name.substring(name.lastIndexOf('.') + 1));
  }
}
