package dev.filigree.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.filigree.DType;
import dev.filigree.FormatException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappedFileTest {
  @TempDir Path folder;

  @Test
  void aFileIsSeenAsReadOnlyMemoryUntilItsArenaCloses() throws IOException {
    Path file = Files.write(folder.resolve("file"), new byte[] {1, 2, 3});
    MemorySegment memory;
    try (Arena arena = Arena.ofConfined()) {
      memory = MappedFile.map(file, arena);
      assertArrayEquals(new byte[] {1, 2, 3}, memory.toArray(DType.BYTE));
      assertTrue(memory.isMapped());
      assertTrue(memory.isReadOnly());
    }
    assertFalse(memory.scope().isAlive());
  }

  @Test
  void whatCannotBeMappedIsNamedWithTheRemedy() throws IOException {
    Path missing = folder.resolve("missing");
    refused(missing, missing + " does not exist", "check the path");
    refused(folder, folder + " is a folder", "name a file inside it");
    Path empty = Files.createFile(folder.resolve("empty"));
    refused(empty, empty + " is empty", "download or export it again");
    Path inside = Files.write(folder.resolve("file"), new byte[1]).resolve("inside");
    refused(inside, inside + " cannot be read (Not a directory)", "check");
  }

  @Test
  void aFileThatMayNotBeReadIsNamed() throws IOException {
    Path file =
        Files.createFile(
            folder.resolve("secret"),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("-wx------")));
    assumeFalse(Files.isReadable(file), "needs a user whom permissions bind, not root");
    refused(file, file + " cannot be read (permission denied)", "permissions");
  }

  private static void refused(Path file, String problem, String remedy) {
    try (Arena arena = Arena.ofConfined()) {
      FormatException refusal =
          assertThrows(FormatException.class, () -> MappedFile.map(file, arena));
      assertEquals(problem, refusal.problem());
      assertTrue(refusal.remedy().contains(remedy), refusal.remedy());
    }
  }
}
