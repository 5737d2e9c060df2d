package dev.filigree.cli;

import dev.filigree.OutputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** The user's folder for what can be made again: unpacked bundled models, compressed models. */
final class Cache {
  /** Environment variable that names another folder. */
  static final String VARIABLE = "FILIGREE_CACHE";

  private Cache() {}

  /** Where the cache is, whether it exists or not. */
  static Path folder() {
    String chosen = System.getenv(VARIABLE);
    if (chosen != null && !chosen.isEmpty()) {
      return Path.of(chosen);
    }
    Path home = Path.of(System.getProperty("user.home"));
    String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    if (system.contains("mac")) {
      return home.resolve("Library/Caches/filigree");
    }
    if (system.contains("windows") && System.getenv("LOCALAPPDATA") != null) {
      return Path.of(System.getenv("LOCALAPPDATA"), "filigree");
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    return (xdg == null || xdg.isEmpty() ? home.resolve(".cache") : Path.of(xdg))
        .resolve("filigree");
  }

  /**
   * A folder of the cache, made if need be.
   *
   * @throws OutputException if it cannot be made
   */
  static Path folder(String name) {
    Path folder = folder().resolve(name);
    try {
      return Files.createDirectories(folder);
    } catch (IOException failed) {
      throw new OutputException(
          "the cache folder " + folder + " cannot be made (" + failed.getMessage() + ")",
          "set " + VARIABLE + " to a folder that can be written",
          failed);
    }
  }
}
