package dev.filigree.simgpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/**
 * Unpacks libraries into a folder only the user can write to, named by their contents. Several
 * virtual machines may do so at the same time: a file appears whole or not at all.
 */
final class PrivateFolder {
  private static final String ROOT_PROPERTY = "filigree.simgpu.folder";

  private PrivateFolder() {}

  /** Unpacks the files, by name, into one folder and returns it. */
  static Path unpack(Map<String, byte[]> files) throws IOException {
    Path folder = root().resolve(digest(files));
    Files.createDirectories(folder);
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      Path target = folder.resolve(file.getKey());
      if (Files.exists(target) && Files.size(target) == file.getValue().length) {
        continue;
      }
      Path partial = Files.createTempFile(folder, file.getKey(), ".partial");
      Files.write(partial, file.getValue());
      Files.move(
          partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
    return folder;
  }

  private static Path root() throws IOException {
    String chosen = System.getProperty(ROOT_PROPERTY);
    String cache = System.getenv("XDG_CACHE_HOME");
    Path root =
        chosen != null
            ? Path.of(chosen)
            : (cache != null && !cache.isEmpty()
                    ? Path.of(cache)
                    : Path.of(System.getProperty("user.home"), ".cache"))
                .resolve("filigree")
                .resolve("simgpu");
    if (!Files.isDirectory(root)) {
      Files.createDirectories(
          root, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    return root;
  }

  private static String digest(Map<String, byte[]> files) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Map.Entry<String, byte[]> file : new TreeMap<>(files).entrySet()) {
        digest.update(file.getKey().getBytes(java.nio.charset.StandardCharsets.UTF_8));
        digest.update(file.getValue());
      }
      return HexFormat.of().formatHex(digest.digest()).substring(0, 32);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
