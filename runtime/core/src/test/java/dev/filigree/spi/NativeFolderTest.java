package dev.filigree.spi;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Unpacking native libraries. */
class NativeFolderTest {
  private static final byte[] CONTENT = new byte[100_000];

  static {
    Arrays.fill(CONTENT, (byte) 7);
  }

  @TempDir Path temporary;

  private Path unpack(Path... roots) throws IOException {
    return new NativeFolder(List.of(roots)).unpack("lib.so", CONTENT, 0);
  }

  @Test
  void unpacksIntoAFolderOfTheUserNamedByTheContents() throws IOException {
    Path folder = unpack(temporary.resolve("natives"));
    assertArrayEquals(CONTENT, Files.readAllBytes(folder.resolve("lib.so")));
    assertEquals(24, folder.getFileName().toString().length());
    assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
  }

  @Test
  void replacesAFileThatWasTruncated() throws IOException {
    Path library = unpack(temporary.resolve("natives")).resolve("lib.so");
    Files.write(library, new byte[10]);
    unpack(temporary.resolve("natives"));
    assertArrayEquals(CONTENT, Files.readAllBytes(library));
  }

  @Test
  void replacesAFileOfTheRightSizeAndOtherContents() throws IOException {
    Path library = unpack(temporary.resolve("natives")).resolve("lib.so");
    Files.write(library, new byte[CONTENT.length]);
    unpack(temporary.resolve("natives"));
    assertArrayEquals(CONTENT, Files.readAllBytes(library));
  }

  @Test
  void usesTheNextFolderWhereTheFirstCannotBeMade() throws IOException {
    Path file = Files.createFile(temporary.resolve("file"));
    Path second = temporary.resolve("second");
    assertEquals(second, unpack(file.resolve("natives"), second).getParent());
  }

  @Test
  void passesOverAFolderThatOthersMayWrite() throws IOException {
    Path shared = Files.createDirectory(temporary.resolve("shared"));
    Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
    Path second = temporary.resolve("second");
    assertEquals(second, unpack(shared, second).getParent());
  }

  @Test
  void saysOfEveryFolderWhyItCannotBeUsed() throws IOException {
    Path file = Files.createFile(temporary.resolve("file"));
    Path shared = Files.createDirectory(temporary.resolve("shared"));
    Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
    IOException error = assertThrows(IOException.class, () -> unpack(file.resolve("a"), shared));
    assertTrue(error.getMessage().contains(file.resolve("a").toString()), error.getMessage());
    assertTrue(error.getMessage().contains("rwxrwxrwx"), error.getMessage());
  }

  @Test
  void keepsCopiesForOtherClassLoadersApart() throws IOException {
    NativeFolder natives = new NativeFolder(List.of(temporary.resolve("natives")));
    Path first = natives.unpack("lib.so", CONTENT, 0);
    Path second = natives.unpack("lib.so", CONTENT, 1);
    assertEquals(first + "-1", second.toString());
    assertArrayEquals(CONTENT, Files.readAllBytes(second.resolve("lib.so")));
  }

  @Test
  void manyAtOnceAllFindTheWholeFile() throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
      List<Callable<Path>> tasks = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        tasks.add(
            () -> {
              Path folder = unpack(temporary.resolve("natives"));
              assertArrayEquals(CONTENT, Files.readAllBytes(folder.resolve("lib.so")));
              return folder;
            });
      }
      HashSet<Path> folders = new HashSet<>();
      for (Future<Path> each : threads.invokeAll(tasks)) {
        folders.add(each.get());
      }
      assertEquals(1, folders.size());
      try (var files = Files.list(folders.iterator().next())) {
        assertEquals(1, files.count());
      }
    }
  }
}
