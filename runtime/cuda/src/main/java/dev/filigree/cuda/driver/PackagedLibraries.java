package dev.filigree.cuda.driver;

import dev.filigree.spi.NativeFolder;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;

/**
 * CUDA's libraries out of a jar on the class path, for machines that have NVIDIA's driver and
 * nothing else: the artifact {@code org.bytedeco:cuda} with a classifier that ends in {@code
 * redist}. They are unpacked once into the user's folder. Nothing is ever fetched.
 */
final class PackagedLibraries {
  private static final String FOLDER = "org/bytedeco/cuda/linux-x86_64/";

  /** What each library needs, in the order to load it; found by their names once they are. */
  private static final Map<String, List<String>> NEEDED =
      Map.of(
          "libcublas.so.12", List.of("libcublasLt.so.12"),
          "libcusparse.so.12", List.of("libnvJitLink.so.12"));

  private PackagedLibraries() {}

  /**
   * Loads a library and what it needs, if the class path has them.
   *
   * @param loader to look with
   * @param folder to unpack into
   * @param library file name
   * @return false if there is no such library
   * @throws IOException if it cannot be unpacked
   * @throws UnsatisfiedLinkError if it cannot be loaded
   */
  @SuppressWarnings("restricted") // loading libraries is what this is for
  static boolean load(ClassLoader loader, NativeFolder folder, String library) throws IOException {
    URL resource = loader.getResource(FOLDER + library);
    if (resource == null) {
      return false;
    }
    for (String needed : NEEDED.getOrDefault(library, List.of())) {
      URL other = loader.getResource(FOLDER + needed);
      if (other != null) {
        System.load(unpack(folder, needed, other).toString());
      }
    }
    System.load(unpack(folder, library, resource).toString());
    return true;
  }

  /** The file of a library; its folder is named by what the jar says of its contents. */
  private static Path unpack(NativeFolder folder, String library, URL resource) throws IOException {
    URLConnection connection = resource.openConnection();
    // a cached jar would stay open as long as the process
    connection.setUseCaches(false);
    try (InputStream in = connection.getInputStream()) {
      long size = connection.getContentLengthLong();
      String content = library + "-" + size;
      if (connection instanceof JarURLConnection jar) {
        JarEntry entry = jar.getJarEntry();
        content += "-" + Long.toHexString(entry.getCrc());
      }
      return folder.unpack(library, content, size, in);
    }
  }
}
