package dev.filigree.kernels.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The kernels of this jar. Immutable and safe for use from several threads.
 *
 * @param kernels by entry, in the order of the manifest
 */
public record KernelManifest(Map<String, KernelEntry> kernels) {
  private static final String MANIFEST = "manifest.json";

  /** Kernels of unique names. */
  KernelManifest(List<KernelEntry> entries) {
    this(byEntry(entries));
  }

  /**
   * Reads the manifest of this jar.
   *
   * @throws ManifestException if it is missing or does not say what it must
   */
  public static KernelManifest load() {
    return ManifestReader.read(resource(MANIFEST));
  }

  /**
   * A kernel by its name.
   *
   * @throws ManifestException if there is none
   */
  public KernelEntry kernel(String entry) {
    KernelEntry kernel = kernels.get(entry);
    if (kernel == null) {
      throw new ManifestException("no kernel is called " + entry);
    }
    return kernel;
  }

  /** The kernels of an operation. */
  public List<KernelEntry> of(String operation) {
    return kernels.values().stream().filter(k -> k.operation().equals(operation)).toList();
  }

  /**
   * The text of a kernel's module: ASCII, without a NUL at its end.
   *
   * @param ptx the resource a kernel names
   * @throws ManifestException if it is missing
   */
  public static byte[] ptx(String ptx) {
    return resource(ptx);
  }

  private static byte[] resource(String name) {
    try (InputStream in = KernelManifest.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new ManifestException("the resource " + name + " is missing");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, KernelEntry> byEntry(List<KernelEntry> entries) {
    Map<String, KernelEntry> kernels = new LinkedHashMap<>();
    for (KernelEntry entry : entries) {
      if (kernels.put(entry.entry(), entry) != null) {
        throw new ManifestException("two kernels are called " + entry.entry());
      }
    }
    return Collections.unmodifiableMap(kernels);
  }
}
