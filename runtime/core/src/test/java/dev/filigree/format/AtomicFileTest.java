package dev.filigree.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.OutputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  private static final byte[] OLD = {1, 2, 3};
  private static final byte[] NEW = {4, 5};

  @TempDir Path folder;

  @Test
  void aFileIsWrittenOrReplacedAndNothingElseIsLeft() throws IOException {
    Path file = folder.resolve("model.filigree");
    AtomicFile.write(file, content(OLD));
    assertArrayEquals(OLD, Files.readAllBytes(file));
    AtomicFile.write(file, content(NEW));
    assertArrayEquals(NEW, Files.readAllBytes(file));
    assertEquals(List.of(file), contents());
  }

  @Test
  void theOldFileIsThereUntilTheNewOneIsComplete() throws IOException {
    Path file = Files.write(folder.resolve("model.filigree"), OLD);
    AtomicFile.write(
        file,
        channel -> {
          channel.write(ByteBuffer.wrap(NEW));
          assertArrayEquals(OLD, Files.readAllBytes(file));
          assertEquals(2, contents().size());
        });
    assertArrayEquals(NEW, Files.readAllBytes(file));
  }

  @Test
  void aWriteThatFailsLeavesTheOldFileAndNothingElse() throws IOException {
    Path file = Files.write(folder.resolve("model.filigree"), OLD);
    IOException full = new IOException("No space left on device");
    OutputException refusal =
        assertThrows(
            OutputException.class,
            () ->
                AtomicFile.write(
                    file,
                    channel -> {
                      channel.write(ByteBuffer.wrap(NEW));
                      throw full;
                    }));
    assertEquals(file + " cannot be written: No space left on device", refusal.problem());
    assertSame(full, refusal.getCause());
    assertArrayEquals(OLD, Files.readAllBytes(file));
    assertEquals(List.of(file), contents());
  }

  @Test
  void aDefectInTheWriterIsNotTakenForAFailureOfTheDisk() throws IOException {
    IllegalStateException defect = new IllegalStateException();
    IllegalStateException thrown =
        assertThrows(
            IllegalStateException.class,
            () ->
                AtomicFile.write(
                    folder.resolve("model.filigree"),
                    channel -> {
                      throw defect;
                    }));
    assertSame(defect, thrown);
    assertEquals(List.of(), contents());
  }

  @Test
  void aFolderIsNoTarget() throws IOException {
    OutputException refusal = refused(folder);
    assertEquals(folder + " is a folder", refusal.problem());
    assertEquals("name a file inside it", refusal.remedy());
    assertEquals(List.of(), contents());
  }

  @Test
  void theFolderMustExist() throws IOException {
    Path file = folder.resolve("missing/model.filigree");
    OutputException refusal = refused(file);
    assertEquals(file + " cannot be written: its folder does not exist", refusal.problem());
    assertEquals("create the folder first", refusal.remedy());
    assertEquals(List.of(), contents());
  }

  @Test
  void aFileIsNoFolder() throws IOException {
    Path inside = Files.write(folder.resolve("file"), OLD).resolve("model.filigree");
    OutputException refusal = refused(inside);
    assertTrue(refusal.problem().startsWith(inside + " cannot be written: "), refusal.problem());
    assertFalse(refusal.problem().endsWith("null"), refusal.problem());
    assertArrayEquals(OLD, Files.readAllBytes(folder.resolve("file")));
  }

  @Test
  void aDeviceOrPipeIsNotReplacedByAFile() throws Exception {
    Path pipe = folder.resolve("pipe");
    assumeTrue(runs("mkfifo", pipe.toString()), "needs mkfifo");
    OutputException refusal = refused(pipe);
    assertEquals(pipe + " is no regular file", refusal.problem());
    assertTrue(Files.readAttributes(pipe, "isOther").containsValue(true));
  }

  @Test
  void aLinkStaysAndTheFileItNamesIsReplaced() throws IOException {
    Path real = Files.write(Files.createDirectory(folder.resolve("store")).resolve("real"), OLD);
    Path link = Files.createSymbolicLink(folder.resolve("link"), real);
    AtomicFile.write(link, content(NEW));
    assertTrue(Files.isSymbolicLink(link));
    assertArrayEquals(NEW, Files.readAllBytes(real));
  }

  @Test
  void anUnwritableFolderIsNamed() throws IOException {
    Path closed =
        Files.createDirectory(
            folder.resolve("closed"),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("r-xr-xr-x")));
    assumeFalse(Files.isWritable(closed), "needs a user whom permissions bind, not root");
    Path file = closed.resolve("model.filigree");
    OutputException refusal = refused(file);
    assertEquals(file + " cannot be written: permission denied", refusal.problem());
    assertEquals("choose another folder", refusal.remedy());
  }

  @Test
  void aFileSystemThatTakesNoFilesIsNamed() {
    Path file = Path.of("/proc/model.filigree");
    assumeTrue(Files.isDirectory(file.getParent()), "needs /proc");
    assertTrue(refused(file).problem().startsWith(file + " cannot be written: "));
  }

  @Test
  void aFullDiskLeavesNothingHalfWritten() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    assumeTrue(
        runs("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk.toString()),
        "needs the right to mount a small file system");
    try {
      Path file = Files.write(disk.resolve("model.filigree"), OLD);
      OutputException refusal =
          assertThrows(
              OutputException.class, () -> AtomicFile.write(file, content(new byte[1 << 20])));
      assertEquals(file + " cannot be written: No space left on device", refusal.problem());
      assertEquals("check the disk's space and permissions", refusal.remedy());
      assertArrayEquals(OLD, Files.readAllBytes(file));
      try (Stream<Path> left = Files.list(disk)) {
        assertEquals(List.of(file), left.toList());
      }
    } finally {
      assertTrue(runs("umount", disk.toString()));
    }
  }

  @Test
  void anInterruptedWriteSaysSoAndStaysInterrupted() throws IOException {
    Path file = folder.resolve("model.filigree");
    Thread.currentThread().interrupt();
    try {
      assertEquals(
          file + " cannot be written: the thread was interrupted", refused(file).problem());
      assertTrue(Thread.currentThread().isInterrupted());
    } finally {
      Thread.interrupted();
    }
    assertEquals(List.of(), contents());
  }

  @Test
  void whatAKilledWriterLeftIsClearedAndWhatMayBeInUseStays() throws IOException {
    long gone = Long.MAX_VALUE / 1000;
    long running = ProcessHandle.current().pid();
    Path left = part(".old.filigree." + gone + "-1f.part", Duration.ofDays(2));
    Path fresh = part(".new.filigree." + gone + "-2f.part", Duration.ofHours(2));
    Path inUse = part(".slow.filigree." + running + "-3f.part", Duration.ofDays(2));
    Path foreign = part(".download.part", Duration.ofDays(2));
    Path file = folder.resolve("model.filigree");
    AtomicFile.write(file, content(NEW));
    assertFalse(Files.exists(left));
    assertEquals(Set.of(fresh, inUse, foreign, file), Set.copyOf(contents()));
  }

  /** Writes a part, says so and waits to be ended. */
  static final class Slow {
    public static void main(String[] arguments) {
      AtomicFile.write(
          Path.of(arguments[0]),
          channel -> {
            channel.write(ByteBuffer.wrap(NEW));
            System.out.println("writing");
            while (true) {
              LockSupport.park();
            }
          });
    }
  }

  /** Ends the process in the middle of a write, which goes on, and writes again. */
  static final class Late {
    public static void main(String[] arguments) {
      Path file = Path.of(arguments[0]);
      Thread writer = Thread.currentThread();
      Runtime.getRuntime().addShutdownHook(new Thread(() -> joined(writer)));
      say(
          file,
          channel -> {
            new Thread(() -> System.exit(0)).start();
            while (file.getParent().toFile().list().length > 0) {
              LockSupport.parkNanos(1_000_000);
            }
          });
      say(file, content(NEW));
    }

    private static void joined(Thread writer) {
      try {
        writer.join();
      } catch (InterruptedException stopped) {
        Thread.currentThread().interrupt();
      }
    }

    private static void say(Path file, AtomicFile.Content content) {
      try {
        AtomicFile.write(file, content);
        System.out.println("written");
      } catch (OutputException refusal) {
        System.out.println(refusal.problem());
      }
    }
  }

  @Test
  void aWriterThatOutlivesTheEndOfItsProcessSaysSoAndLeavesNothing() throws Exception {
    Path file = folder.resolve("model.filigree");
    Process process = start(Late.class, file);
    try {
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "it ends");
      String problem = file + " was not written: the process is ending";
      assertEquals(List.of(problem, problem), process.inputReader().readAllLines());
      assertEquals(List.of(), contents());
    } finally {
      process.destroyForcibly();
    }
  }

  private static Process start(Class<?> main, Path file) throws IOException {
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            classPath,
            main.getName(),
            file.toString())
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  @Test
  void aProcessThatIsEndedWhileItWritesLeavesNothing() throws Exception {
    Path file = folder.resolve("model.filigree");
    Process process = start(Slow.class, file);
    try {
      assertEquals("writing", process.inputReader().readLine());
      assertEquals(1, contents().size());
      process.destroy();
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "it ends");
      assertEquals(List.of(), contents());
    } finally {
      process.destroyForcibly();
    }
  }

  private Path part(String name, Duration age) throws IOException {
    Path part = Files.write(folder.resolve(name), OLD);
    return Files.setLastModifiedTime(part, FileTime.from(Instant.now().minus(age)));
  }

  private static AtomicFile.Content content(byte[] bytes) {
    return channel -> {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        channel.write(buffer);
      }
    };
  }

  private static OutputException refused(Path file) {
    OutputException refusal =
        assertThrows(OutputException.class, () -> AtomicFile.write(file, content(NEW)));
    assertNotNull(refusal.remedy());
    return refusal;
  }

  private List<Path> contents() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  private static boolean runs(String... command) throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0;
    } catch (IOException absent) {
      return false;
    }
  }
}
