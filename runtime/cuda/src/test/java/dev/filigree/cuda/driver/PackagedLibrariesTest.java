package dev.filigree.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.filigree.spi.NativeFolder;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import jcuda.LibUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * CUDA's libraries on the class path. What is loaded here is a library of JCuda's that needs no
 * driver, under the names of CUDA's.
 */
class PackagedLibrariesTest {
  private static final String BLAS = "libcublas.so.12";
  private static final String NEEDED = "libcublasLt.so.12";

  @TempDir private Path folder;

  private NativeFolder natives() {
    return new NativeFolder(List.of(folder.resolve("natives")));
  }

  private static byte[] library() throws IOException {
    assumeTrue(System.getProperty("os.name").equals("Linux"), "JCuda has none for this system");
    String file =
        LibUtils.createLibraryFileName(LibUtils.createPlatformLibraryName("JCudaRuntime-12.6.0"));
    try (InputStream in = LibUtils.class.getResourceAsStream("/lib/" + file)) {
      assumeTrue(in != null, file + " is not in JCuda's jar");
      return in.readAllBytes();
    }
  }

  private URLClassLoader jar(byte[] content, String... names) throws IOException {
    Path jar = folder.resolve("cuda.jar");
    try (OutputStream out = Files.newOutputStream(jar);
        JarOutputStream entries = new JarOutputStream(out)) {
      for (String name : names) {
        entries.putNextEntry(new JarEntry("org/bytedeco/cuda/linux-x86_64/" + name));
        entries.write(content);
        entries.closeEntry();
      }
    }
    return new URLClassLoader(new URL[] {jar.toUri().toURL()}, null);
  }

  private List<Path> unpacked() throws IOException {
    try (Stream<Path> files = Files.walk(folder.resolve("natives"))) {
      return files.filter(Files::isRegularFile).sorted().toList();
    }
  }

  @Test
  void aLibraryIsUnpackedAndLoadedWithWhatItNeeds() throws IOException {
    byte[] content = library();
    try (URLClassLoader loader = jar(content, BLAS, NEEDED)) {
      assertTrue(PackagedLibraries.load(loader, natives(), BLAS));
      List<Path> files = unpacked();
      assertEquals(
          List.of(BLAS, NEEDED), files.stream().map(f -> f.getFileName().toString()).toList());
      assertArrayEquals(content, Files.readAllBytes(files.getFirst()));
    }
  }

  @Test
  void aTruncatedFileIsReplaced() throws IOException {
    byte[] content = library();
    try (URLClassLoader loader = jar(content, BLAS)) {
      assertTrue(PackagedLibraries.load(loader, natives(), BLAS));
      Path file = unpacked().getFirst();
      // another file under the name: what is loaded must not change under its users
      Files.delete(file);
      Files.write(file, new byte[100]);
      assertTrue(PackagedLibraries.load(loader, natives(), BLAS));
      assertArrayEquals(content, Files.readAllBytes(file));
    }
  }

  @Test
  void aClassPathWithoutItIsNoFailure() throws IOException {
    try (URLClassLoader loader = jar(new byte[1], "libcufft.so.11")) {
      assertFalse(PackagedLibraries.load(loader, natives(), BLAS));
      assertFalse(Files.exists(folder.resolve("natives")));
    }
  }

  @Test
  void whatIsNoLibraryIsReported() throws IOException {
    try (URLClassLoader loader = jar("no library".getBytes(), BLAS)) {
      assertThrows(
          UnsatisfiedLinkError.class, () -> PackagedLibraries.load(loader, natives(), BLAS));
    }
  }
}
