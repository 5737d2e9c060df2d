package dev.filigree.format;

import dev.filigree.FormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Files seen as memory: nothing is read before it is used and nothing is copied. */
public final class MappedFile {
  private MappedFile() {}

  /**
   * Maps a whole file read-only.
   *
   * @param arena decides how long the memory lives
   * @throws FormatException if the file is missing, empty, a folder, or cannot be read
   */
  public static MemorySegment map(Path file, Arena arena) {
    if (Files.isDirectory(file)) {
      throw new FormatException(file + " is a folder", "name a file inside it");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() == 0) {
        throw new FormatException(file + " is empty", "download or export it again");
      }
      return channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
    } catch (NoSuchFileException missing) {
      throw new FormatException(file + " does not exist", "check the path", missing);
    } catch (AccessDeniedException denied) {
      throw unreadable(file, "permission denied", denied);
    } catch (FileSystemException failed) {
      // the message would name the file twice
      throw unreadable(file, failed.getReason(), failed);
    } catch (IOException failed) {
      throw unreadable(file, failed.getMessage(), failed);
    }
  }

  private static FormatException unreadable(Path file, String reason, IOException cause) {
    return new FormatException(
        file + " cannot be read (" + reason + ")", "check its path and permissions", cause);
  }
}
