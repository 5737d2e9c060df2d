package dev.filigree.simgpu;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Loads the simulated libraries, and after them JCuda's own. Once {@code libcuda.so.1} is loaded,
 * every library that needs one of that name gets it.
 */
@SuppressWarnings("restricted") // loading libraries is what this is for
final class NativeLibraries {
  /** A folder with libraries built elsewhere, instead of those in the jar. */
  static final String LIBRARY_PROPERTY = "filigree.simgpu.libraries";

  /** {@code off} keeps it out of a process that is to use the GPU of this machine. */
  private static final String SWITCH_PROPERTY = "filigree.simgpu";

  private static final String RESOURCES = "linux-x86_64/";
  private static final List<String> SIMULATED =
      List.of("libcuda.so.1", "libcublas.so.12", "libcusparse.so.12");

  /** JCuda's classes, in the order of their dependencies, and the libraries they load. */
  private static final List<Map.Entry<String, String>> JCUDA =
      List.of(
          Map.entry("jcuda.driver.JCudaDriver", "JCudaDriver"),
          Map.entry("jcuda.jcublas.JCublas2", "JCublas2"),
          Map.entry("jcuda.jcusparse.JCusparse", "JCusparse"));

  private static Path loaded;

  private NativeLibraries() {}

  /** Whether this process is to use the GPU of this machine instead. */
  static boolean isOff() {
    return "off".equals(System.getProperty(SWITCH_PROPERTY));
  }

  /** The reason why the libraries cannot be used; empty when they can. */
  static Optional<String> missing() {
    if (isOff()) {
      return Optional.of("the simulated GPU is turned off by -D" + SWITCH_PROPERTY + "=off");
    }
    if (System.getProperty(LIBRARY_PROPERTY) != null
        || NativeLibraries.class.getResource(RESOURCES + SIMULATED.getFirst()) != null) {
      return Optional.empty();
    }
    return Optional.of(
        "the simulated GPU was not built: it needs Linux on x86-64, cmake and g++ when"
            + " native/simgpu is built, or a folder with its libraries in -D"
            + LIBRARY_PROPERTY);
  }

  /** Loads everything, once; returns the path of libcuda.so.1. */
  static synchronized Path load() {
    if (loaded != null) {
      return loaded;
    }
    missing()
        .ifPresent(
            reason -> {
              throw new SimulatedGpuUnavailableException(reason);
            });
    try {
      Path folder = simulatedFolder();
      for (String library : SIMULATED) {
        System.load(folder.resolve(library).toString());
      }
      for (Map.Entry<String, String> each : JCUDA) {
        loadJCuda(each.getKey(), each.getValue());
      }
      loaded = folder.resolve(SIMULATED.getFirst());
      return loaded;
    } catch (IOException e) {
      throw new SimulatedGpuUnavailableException("the libraries cannot be unpacked: " + e, e);
    } catch (LinkageError e) {
      throw new SimulatedGpuUnavailableException("the libraries cannot be loaded: " + e, e);
    }
  }

  private static Path simulatedFolder() throws IOException {
    String chosen = System.getProperty(LIBRARY_PROPERTY);
    if (chosen != null) {
      return Path.of(chosen).toAbsolutePath();
    }
    Map<String, byte[]> files = new LinkedHashMap<>();
    for (String library : SIMULATED) {
      try (InputStream in = NativeLibraries.class.getResourceAsStream(RESOURCES + library)) {
        if (in == null) {
          throw new IOException("no " + library + " beside " + NativeLibraries.class.getName());
        }
        files.put(library, in.readAllBytes());
      }
    }
    return PrivateFolder.unpack(files);
  }

  /**
   * Initialises a class of JCuda, if it is there. JCuda unpacks its libraries into the folder for
   * temporary files under fixed names and uses whatever lies there, so that two virtual machines
   * starting together abort; it finds ours there instead.
   */
  private static void loadJCuda(String className, String library) throws IOException {
    ClassLoader loader = NativeLibraries.class.getClassLoader();
    Optional<byte[]> content = jcudaLibrary(loader, library);
    if (content.isEmpty()) {
      return;
    }
    String name = "lib" + library + "-" + jcudaVersion(loader) + "-linux-x86_64.so";
    Path folder = PrivateFolder.unpack(Map.of(name, content.get()));
    String before = System.getProperty("java.io.tmpdir");
    System.setProperty("java.io.tmpdir", folder.toString());
    try {
      Class.forName(className, true, loader);
    } catch (ClassNotFoundException e) {
      throw new IOException("the natives of JCuda are there, but not " + className, e);
    } finally {
      System.setProperty("java.io.tmpdir", before);
    }
  }

  private static Optional<byte[]> jcudaLibrary(ClassLoader loader, String library)
      throws IOException {
    String version = jcudaVersion(loader);
    if (version.isEmpty()) {
      return Optional.empty();
    }
    String resource = "lib/lib" + library + "-" + version + "-linux-x86_64.so";
    try (InputStream in = loader.getResourceAsStream(resource)) {
      return in == null ? Optional.empty() : Optional.of(in.readAllBytes());
    }
  }

  /** Empty without JCuda. */
  private static String jcudaVersion(ClassLoader loader) {
    try {
      return (String)
          Class.forName("jcuda.JCudaVersion", true, loader).getMethod("get").invoke(null);
    } catch (ClassNotFoundException e) {
      return "";
    } catch (NoSuchMethodException | IllegalAccessException | InvocationTargetException e) {
      throw new SimulatedGpuUnavailableException("an unknown version of JCuda: " + e, e);
    }
  }
}
