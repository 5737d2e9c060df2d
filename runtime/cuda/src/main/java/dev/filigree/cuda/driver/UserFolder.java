package dev.filigree.cuda.driver;

import java.nio.file.Path;
import java.util.List;

/** Where what belongs to the user and the machine is kept: unpacked libraries, measurements. */
public final class UserFolder {
  /** System property with a folder to use instead of those of the user. */
  public static final String PROPERTY = "dev.filigree.cuda.natives";

  private UserFolder() {}

  /** The user's cache folder, then one of the user's own among the temporary files. */
  public static List<Path> candidates() {
    String chosen = System.getProperty(PROPERTY);
    if (chosen != null) {
      return List.of(Path.of(chosen));
    }
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base =
        cache != null && !cache.isEmpty()
            ? Path.of(cache)
            : Path.of(System.getProperty("user.home"), ".cache");
    Path temporary =
        Path.of(
            System.getProperty("java.io.tmpdir"), "filigree-" + System.getProperty("user.name"));
    return List.of(base.resolve("filigree").resolve("cuda"), temporary.resolve("cuda"));
  }
}
