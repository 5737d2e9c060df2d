package dev.filigree.cuda.driver;

import dev.filigree.DeviceException;
import dev.filigree.spi.NativeFolder;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/**
 * JCuda's native libraries and the CUDA libraries each of them needs.
 *
 * <p>JCuda by itself unpacks them into the folder for temporary files under fixed names and uses
 * whatever lies there: a truncated file ends the virtual machine, and so do two machines that start
 * together. Here JCuda finds them unpacked already, by {@link NativeFolder}. And where JCuda's
 * classes would fail once and for all, this can be asked again and answers the same.
 */
public enum JCudaLibrary {
  DRIVER(
      "jcuda.driver.JCudaDriver",
      "libcuda.so.1",
      "install NVIDIA's driver, version 525 or later, or run in a container that passes it in"),
  CUBLAS(
      "jcuda.jcublas.JCublas2",
      "libcublas.so.12",
      "install cuBLAS of CUDA 12, or put "
          + JCudaLibrary.PACKAGED
          + " on the class path; nothing"
          + " needs it, own kernels are used"),
  CUSPARSE(
      "jcuda.jcusparse.JCusparse",
      "libcusparse.so.12",
      "install cuSPARSE of CUDA 12, or put "
          + JCudaLibrary.PACKAGED
          + " on the class path;"
          + " nothing needs it, own kernels are used");

  /** Maven's name of the jar with CUDA's libraries, of the version JCuda is made for. */
  private static final String PACKAGED = "org.bytedeco:cuda:12.6-9.5-1.5.11:linux-x86_64-redist";

  /** Copies of a file that are tried, one for each class loader that may use JCuda. */
  private static final int MAX_CLASS_LOADERS = 64;

  /** Whose libraries they are, in the names of folder and property. */
  private static final String PART = "cuda";

  private static final Object LOCK = new Object();

  private static final System.Logger LOG = System.getLogger(JCudaLibrary.class.getName());

  private final String java;
  private final String cuda;
  private final String remedy;

  JCudaLibrary(String java, String cuda, String remedy) {
    this.java = java;
    this.cuda = cuda;
    this.remedy = remedy;
  }

  /** File name of the CUDA library. */
  public String cuda() {
    return cuda;
  }

  /** The file the CUDA library was loaded from, once it is. */
  public Optional<Path> path() {
    try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
      return maps.filter(line -> line.contains("/" + cuda.replaceFirst("\\.so.*", ".so")))
          .map(line -> Path.of(line.substring(line.indexOf('/'))))
          .findFirst();
    } catch (IOException | UncheckedIOException noSuchFile) {
      return Optional.empty();
    }
  }

  /** What brings the library to a machine that lacks it. */
  public String remedy() {
    return remedy;
  }

  /**
   * Loads it, so that JCuda's class can be used. May be called again.
   *
   * @throws DeviceException if the CUDA library is missing, or JCuda's cannot be unpacked or loaded
   */
  public void load() {
    load(NativeFolder.ofUser(PART));
  }

  /**
   * Opens a library that is not needed: nothing where it is missing or does not start, which the
   * log then tells.
   *
   * @throws DeviceException if the device itself fails
   */
  <T> Optional<T> optional(Supplier<T> open) {
    try {
      load();
      return Optional.of(open.get());
    } catch (DeviceException unusable) {
      if (unusable.kind() == DeviceException.Kind.LOST
          || unusable.kind() == DeviceException.Kind.MEMORY) {
        throw unusable;
      }
      LOG.log(System.Logger.Level.DEBUG, () -> cuda + " is not used: " + unusable.getMessage());
      return Optional.empty();
    }
  }

  void load(NativeFolder folder) {
    requireCuda();
    String library = java.substring(java.lastIndexOf('.') + 1);
    String name = LibUtils.createPlatformLibraryName(library + "-" + JCudaVersion.get());
    String file = LibUtils.createLibraryFileName(name);
    byte[] content = content(file);
    // JCuda reads the property, and only here; of two threads the second would restore the first's
    synchronized (LOCK) {
      for (int copy = 0; copy < MAX_CLASS_LOADERS; copy++) {
        if (load(name, unpack(folder, file, content, copy))) {
          return;
        }
      }
    }
    throw new DeviceException(
        file + " is in use by " + MAX_CLASS_LOADERS + " other class loaders",
        "put JCuda and Filigree into a class loader that applications share");
  }

  /**
   * Looks for the CUDA library: JCuda's own message hides that it is missing.
   *
   * @throws DeviceException if the system's loader does not find it
   */
  @SuppressWarnings("restricted") // asks the system's loader for a library by its name
  public void requireCuda() {
    try {
      SymbolLookup.libraryLookup(cuda, Arena.global());
    } catch (IllegalArgumentException missing) {
      if (!isPackaged()) {
        throw new DeviceException(cuda + " cannot be loaded", remedy, missing);
      }
    }
  }

  /** Whether the library was on the class path, and is loaded now. */
  private boolean isPackaged() {
    try {
      return PackagedLibraries.load(
          JCudaLibrary.class.getClassLoader(), NativeFolder.ofUser(PART), cuda);
    } catch (IOException | UnsatisfiedLinkError unusable) {
      throw new DeviceException(
          cuda + " of the class path cannot be used: " + unusable.getMessage(),
          "name a folder that can be written with -D" + NativeFolder.property(PART),
          unusable);
    }
  }

  private static Path unpack(NativeFolder folder, String file, byte[] content, int copy) {
    try {
      return folder.unpack(file, content, copy);
    } catch (IOException e) {
      throw new DeviceException(
          "no folder for JCuda's library " + file + " (" + e.getMessage() + ")",
          "make one of them writable for this user alone, or name another with -D"
              + NativeFolder.property(PART),
          e);
    }
  }

  /** False if another class loader has this very file. */
  private boolean load(String name, Path folder) {
    String before = System.setProperty("java.io.tmpdir", folder.toString());
    try {
      LibUtils.loadLibrary(name);
      // its class loads the library once more, and must come to the same file
      Class.forName(java, true, LibUtils.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException incomplete) {
      throw new DeviceException(
          "JCuda has no class " + java, "put all its jars of one version on the class path");
    } catch (UnsatisfiedLinkError error) {
      if (error.getMessage().contains("already loaded in another classloader")) {
        return false;
      }
      throw new DeviceException(
          "JCuda's library " + name + " cannot be loaded: " + cause(error), remedy, error);
    } finally {
      System.setProperty("java.io.tmpdir", before);
    }
  }

  /** The line that says why, out of the stack traces in JCuda's message. */
  private String cause(UnsatisfiedLinkError error) {
    return error
        .getMessage()
        .lines()
        .filter(line -> line.startsWith("java.lang.UnsatisfiedLinkError: /"))
        .reduce((first, last) -> last)
        .map(line -> line.substring("java.lang.UnsatisfiedLinkError: ".length()))
        .orElseGet(() -> error.getMessage().lines().findFirst().orElse(error.toString()));
  }

  private static byte[] content(String file) {
    String resource = "/lib/" + file;
    try (InputStream in = open(resource)) {
      if (in == null) {
        throw new DeviceException(
            "JCuda has no library " + file + " for this system",
            "CUDA runs on Linux x86-64; put the jar jcuda-natives on the class path there");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new DeviceException(
          "JCuda's library " + file + " cannot be read from its jar: " + e,
          "the jar is damaged: fetch it again",
          e);
    }
  }

  /** On the module path the libraries are in a module of their own. */
  private static InputStream open(String resource) throws IOException {
    InputStream in = LibUtils.class.getResourceAsStream(resource);
    if (in != null) {
      return in;
    }
    for (Module module : ModuleLayer.boot().modules()) {
      if (module.isNamed() && module.getName().endsWith(".natives")) {
        InputStream inModule = module.getResourceAsStream(resource);
        if (inModule != null) {
          return inModule;
        }
      }
    }
    return null;
  }
}
