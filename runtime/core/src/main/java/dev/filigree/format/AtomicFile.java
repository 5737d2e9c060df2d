package dev.filigree.format;

import dev.filigree.OutputException;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Files that appear whole or not at all: written beside their place, flushed to the disk, then
 * renamed.
 */
public final class AtomicFile {
  /** Name of a part, with the process that writes it. */
  private static final Pattern PART = Pattern.compile("\\..+\\.(\\d{1,18})-[0-9a-f]+\\.part");

  /** Age at which a part without a living writer is taken for left behind. */
  private static final Duration STALE = Duration.ofDays(1);

  /** Whether the process is ending, so that parts are deleted and must not be made. */
  private static volatile boolean ending;

  private AtomicFile() {}

  /** Writes the contents. */
  @FunctionalInterface
  public interface Content {
    void writeTo(FileChannel channel) throws IOException;
  }

  /**
   * Writes a file, replacing one that is there. A symbolic link stays, and the file it names is
   * replaced.
   *
   * @throws OutputException if that fails or the process is ending; nothing is left behind and an
   *     older file is unchanged
   */
  public static void write(Path file, Content content) {
    if (Files.isDirectory(file)) {
      throw new OutputException(file + " is a folder", "name a file inside it");
    }
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      // renaming would remove a device for everyone
      throw new OutputException(file + " is no regular file", "name a new or an ordinary file");
    }
    Path temporary = null;
    Thread atExit = null;
    try {
      Path target = Files.exists(file) ? file.toRealPath() : file.toAbsolutePath();
      clearStale(target);
      temporary = beside(target);
      atExit = deletedAtExit(temporary);
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        if (ending) {
          // what deletes parts at the end may have run before this one was there
          throw new NoSuchFileException(temporary.toString());
        }
        content.writeTo(channel);
        channel.force(true);
      }
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      temporary = null;
      flush(target.getParent());
    } catch (IOException failed) {
      throw failure(file, failed);
    } finally {
      delete(temporary);
      forget(atExit);
    }
  }

  /**
   * Deletes a part if the process is told to end while it is written.
   *
   * @return what to forget once it is not; null if the process is ending already
   */
  private static Thread deletedAtExit(Path temporary) {
    Thread delete =
        new Thread(
            () -> {
              ending = true;
              delete(temporary);
            },
            "filigree-delete-part");
    try {
      Runtime.getRuntime().addShutdownHook(delete);
      return delete;
    } catch (IllegalStateException late) {
      ending = true;
      return null;
    }
  }

  private static void forget(Thread atExit) {
    try {
      if (atExit != null) {
        Runtime.getRuntime().removeShutdownHook(atExit);
      }
    } catch (IllegalStateException late) {
      // it finds nothing to delete
    }
  }

  /** Makes the new name last through a crash, where the system lets a folder be opened. */
  private static void flush(Path folder) {
    try (FileChannel names = FileChannel.open(folder, StandardOpenOption.READ)) {
      names.force(true);
    } catch (IOException noFolderChannels) {
      // the file itself is whole and in place; systems that open no folders order names themselves
    }
  }

  private static Path beside(Path target) {
    // a name of its own, so that two that write the same file do not write into each other's
    String random = Long.toHexString(ThreadLocalRandom.current().nextLong());
    String suffix = ProcessHandle.current().pid() + "-" + random;
    return target.resolveSibling("." + target.getFileName() + "." + suffix + ".part");
  }

  /**
   * Deletes what processes that were killed left in a target's folder. A part names the process
   * that writes it; it stays while that runs, and for a day at least, since a folder may be shared
   * with machines whose processes cannot be seen.
   */
  private static void clearStale(Path target) {
    try (DirectoryStream<Path> parts =
        Files.newDirectoryStream(target.toAbsolutePath().getParent(), ".*.part")) {
      for (Path part : parts) {
        if (isStale(part)) {
          Files.deleteIfExists(part);
        }
      }
    } catch (IOException | DirectoryIteratorException notClean) {
      // what matters is the file to write, and its own failure says more
    }
  }

  private static boolean isStale(Path part) throws IOException {
    Matcher name = PART.matcher(part.getFileName().toString());
    if (!name.matches() || !Files.isRegularFile(part, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    boolean runs =
        ProcessHandle.of(Long.parseLong(name.group(1))).filter(ProcessHandle::isAlive).isPresent();
    Instant changed = Files.getLastModifiedTime(part, LinkOption.NOFOLLOW_LINKS).toInstant();
    return !runs && changed.isBefore(Instant.now().minus(STALE));
  }

  private static OutputException failure(Path file, IOException failed) {
    return switch (failed) {
      case NoSuchFileException deleted when ending ->
          new OutputException(
              file + " was not written: the process is ending", "run it again", failed);
      case NoSuchFileException missing ->
          new OutputException(
              file + " cannot be written: its folder does not exist",
              "create the folder first",
              failed);
      case AccessDeniedException denied ->
          new OutputException(
              file + " cannot be written: permission denied", "choose another folder", failed);
      case ClosedByInterruptException interrupted ->
          new OutputException(
              file + " cannot be written: the thread was interrupted",
              "write it again",
              interrupted);
      case FileSystemException system when system.getReason() != null ->
          new OutputException(
              file + " cannot be written: " + system.getReason(),
              "choose another folder or free space",
              failed);
      default ->
          new OutputException(
              file + " cannot be written: " + failed.getMessage(),
              "check the disk's space and permissions",
              failed);
    };
  }

  private static void delete(Path temporary) {
    if (temporary != null) {
      try {
        Files.deleteIfExists(temporary);
      } catch (IOException stillThere) {
        // the first failure is being reported; the name says that the rest is a part
      }
    }
  }
}
