package dev.filigree.spi;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;

/**
 * A folder of the user for native libraries, each in a folder named by its contents:
 *
 * <pre>
 *   root / checksums of the library / libJCudaDriver-12.6.0-linux-x86_64.so
 * </pre>
 *
 * <p>A file appears whole or not at all, what lies there is compared with what should before it is
 * used, and nobody else may write there. Several virtual machines may unpack at the same time.
 *
 * @param candidates where the folder may be, the best first; one that cannot be written or that
 *     others may write is passed over
 */
public record NativeFolder(List<Path> candidates) {
  private static final Set<PosixFilePermission> OTHERS_MAY_WRITE =
      EnumSet.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

  public NativeFolder {
    candidates = List.copyOf(candidates);
  }

  /**
   * System property with a folder to use instead of those of the user.
   *
   * @param part of the product whose libraries they are, for example {@code cuda}
   */
  public static String property(String part) {
    return "dev.filigree." + part + ".natives";
  }

  /**
   * The user's cache folder, or else one of the user's own among the temporary files.
   *
   * @param part of the product whose libraries they are, for example {@code cuda}
   */
  public static NativeFolder ofUser(String part) {
    String chosen = System.getProperty(property(part));
    if (chosen != null) {
      return new NativeFolder(List.of(Path.of(chosen)));
    }
    String cache = System.getenv("XDG_CACHE_HOME");
    Path base =
        cache != null && !cache.isEmpty()
            ? Path.of(cache)
            : Path.of(System.getProperty("user.home"), ".cache");
    Path temporary =
        Path.of(
            System.getProperty("java.io.tmpdir"), "filigree-" + System.getProperty("user.name"));
    return new NativeFolder(
        List.of(base.resolve("filigree").resolve(part), temporary.resolve(part)));
  }

  /**
   * Puts a library there unless it is there already.
   *
   * @param copy 0, or another number for one more file of the same contents: a virtual machine
   *     loads a file for one class loader only
   * @return its folder
   * @throws IOException if no candidate can be used; the message says why for each
   */
  public Path unpack(String name, byte[] content, int copy) throws IOException {
    StringBuilder problems = new StringBuilder();
    for (Path root : candidates) {
      try {
        Path folder = root.resolve(checksums(content) + (copy == 0 ? "" : "-" + copy));
        createPrivate(root);
        createPrivate(folder);
        place(folder.resolve(name), content);
        return folder;
      } catch (IOException | UncheckedIOException | UnsupportedOperationException e) {
        problems.append(problems.isEmpty() ? "" : "; ").append(root).append(": ").append(e);
      }
    }
    throw new IOException(problems.toString());
  }

  /**
   * Puts a library too large for memory there unless it is there already.
   *
   * @param content name of the folder, which stands for the contents
   * @param size of the library, which is compared
   * @param in read only if the library is not there
   * @return the file
   * @throws IOException if no candidate can be used; the message says why for each
   */
  public Path unpack(String name, String content, long size, InputStream in) throws IOException {
    StringBuilder problems = new StringBuilder();
    for (Path root : candidates) {
      try {
        Path folder = root.resolve(content);
        createPrivate(root);
        createPrivate(folder);
        Path target = folder.resolve(name);
        if (!Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS) || Files.size(target) != size) {
          replace(target, partial -> Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING));
        }
        return target;
      } catch (IOException | UncheckedIOException | UnsupportedOperationException e) {
        problems.append(problems.isEmpty() ? "" : "; ").append(root).append(": ").append(e);
      }
    }
    throw new IOException(problems.toString());
  }

  private static void place(Path target, byte[] content) throws IOException {
    if (Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS)
        && Files.size(target) == content.length
        && Arrays.equals(Files.readAllBytes(target), content)) {
      return;
    }
    replace(target, partial -> Files.write(partial, content));
  }

  /** Writes a file. */
  @FunctionalInterface
  private interface Writer {
    void write(Path file) throws IOException;
  }

  /** Puts a file in place whole. */
  private static void replace(Path target, Writer writer) throws IOException {
    Path partial = Files.createTempFile(target.getParent(), "unpacking", ".partial");
    try {
      writer.write(partial);
      Files.move(
          partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (AtomicMoveNotSupportedException e) {
      throw new IOException("files cannot be renamed there", e);
    } finally {
      Files.deleteIfExists(partial);
    }
  }

  private static void createPrivate(Path folder) throws IOException {
    if (!FileSystems.getDefault().supportedFileAttributeViews().contains("posix")) {
      Files.createDirectories(folder);
      return;
    }
    if (!Files.exists(folder)) {
      Files.createDirectories(folder.toAbsolutePath().getParent());
      try {
        Files.createDirectory(
            folder,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      } catch (FileAlreadyExistsException other) {
        // another virtual machine was faster; what it made is looked at below
      }
    }
    PosixFileAttributes attributes = Files.readAttributes(folder, PosixFileAttributes.class);
    if (!attributes.isDirectory()) {
      throw new IOException("is no folder");
    }
    if (attributes.permissions().stream().anyMatch(OTHERS_MAY_WRITE::contains)
        || !attributes.owner().getName().equals(System.getProperty("user.name"))) {
      throw new IOException(
          "belongs to "
              + attributes.owner().getName()
              + " with "
              + PosixFilePermissions.toString(attributes.permissions())
              + ", so that others could put a library there");
    }
  }

  /**
   * Tells versions of a library apart; what is used is compared byte by byte. The JVM computes
   * these fast before anything is compiled, which a cryptographic digest is not.
   */
  private static String checksums(byte[] content) {
    HexFormat hex = HexFormat.of();
    return hex.toHexDigits(content.length)
        + hex.toHexDigits((int) checksum(new CRC32(), content))
        + hex.toHexDigits((int) checksum(new CRC32C(), content));
  }

  private static long checksum(Checksum checksum, byte[] content) {
    checksum.update(content);
    return checksum.getValue();
  }
}
